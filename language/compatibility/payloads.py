"""Whether every payload of one declaration is one of another."""

from __future__ import annotations

from ..tree import Message, TypeExpr
from ..types import (
    BOXES,
    BYTES,
    INTEGERS,
    LISTS,
    MAPS,
    OPTIONS,
    REALS,
    SETS,
    TEXTS,
    TUPLES,
    UNITS,
    last_segment,
    show,
)

KINDS: dict[str, str] = {
    **dict.fromkeys(TEXTS, "str"),
    **dict.fromkeys(BYTES, "bytes"),
    **dict.fromkeys(REALS, "float"),
    **dict.fromkeys(UNITS, "None"),
    **dict.fromkeys(INTEGERS, "int"),
    **dict.fromkeys(LISTS, "list"),
    **dict.fromkeys(SETS, "set"),
    **dict.fromkeys(MAPS, "dict"),
    **dict.fromkeys(TUPLES, "tuple"),
}
"""The names that mean the same type; all others are the author's own and mean themselves."""

NONE = TypeExpr("None")


def declaration(message: Message) -> str:
    """`Offer<T>(price: i32)`: a message as its author declares it."""
    generics = f"<{', '.join(map(show, message.generics))}>" if message.generics else ""
    parts = [
        f"{f.name}: {show(f.type)}" if f.name and f.type else f.name or (show(f.type or NONE))
        for f in message.fields
    ]
    return f"{message.label}{generics}" + (f"({', '.join(parts)})" if parts else "")


def fits(one: Message, other: Message) -> bool:
    """Whether whoever takes `other` can take `one`: the same parts, each of a type that fits."""
    if [f.name for f in one.fields] != [f.name for f in other.fields]:
        return False
    own, theirs = _types(one), _types(other)
    return len(own) == len(theirs) and all(map(_fits, own, theirs))


def _types(message: Message) -> list[TypeExpr]:
    return [*message.generics, *(f.type for f in message.fields if f.type is not None)]


def _fits(one: TypeExpr, other: TypeExpr) -> bool:
    """Types nest at most as deep as the parser lets them, so this may recurse."""
    if one == other:
        return True
    members, others = _members(one), _members(other)
    if len(members) + len(others) > 2:
        return all(any(_fits(m, o) for o in others) for m in members)
    one, other = members[0], others[0]
    kind = KINDS.get(last_segment(one.name), one.name)
    if kind != KINDS.get(last_segment(other.name), other.name):
        return False
    if kind == "int":
        (low, high), (lowest, highest) = _range(one), _range(other)
        return lowest <= low and high <= highest
    if len(one.arguments) != len(other.arguments):
        return False
    return all(map(_fits, one.arguments, other.arguments))


def _range(type_: TypeExpr) -> tuple[int, int]:
    return INTEGERS[last_segment(type_.name)]


def _members(type_: TypeExpr) -> list[TypeExpr]:
    """The alternatives of a type, in no union themselves; a box is what is in it."""
    found: list[TypeExpr] = []
    waiting = [type_]
    while waiting:
        here = waiting.pop()
        name = last_segment(here.name)
        if here.name == "|":
            waiting += here.arguments
        elif name in OPTIONS and len(here.arguments) == 1:
            waiting += (here.arguments[0], NONE)
        elif name in BOXES and len(here.arguments) == 1:
            waiting.append(here.arguments[0])
        else:
            found.append(here)
    return found
