"""What declared payloads mean: the guide's names and Python's, however they are spelled."""

from __future__ import annotations

from dataclasses import dataclass

from .tree import Message, TypeExpr
from .types import (
    ANY,
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
    **dict.fromkeys(ANY, "Any"),
    **{name: name for name in ("bool", "char", "Result")},
}
"""The names that mean the same type; all others are the author's own and mean themselves."""

NONE = TypeExpr("None")
ANYTHING = TypeExpr("Any")
BARE = {"list": 1, "tuple": 1, "set": 1, "dict": 2}
"""How many types a container is of; those that are not written are of anything."""
NO_KEYS = frozenset(KINDS.values()) - {"str", "Any"}
"""What is a key of no map on the wire."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One alternative of a type, itself no union; `span` is from the lowest integer to the highest."""

    name: str
    span: tuple[int, int] = (0, 0)
    arguments: tuple[Meaning, ...] = ()


Meaning = frozenset[Kind]
"""The alternatives of a type, none of which is part of another."""

Parts = tuple[tuple[str, Meaning], ...]


def declaration(message: Message) -> str:
    """`Offer<T>(price: i32)`: a message as its author declares it."""
    generics = f"<{', '.join(map(show, message.generics))}>" if message.generics else ""
    parts = [
        f"{f.name}: {show(f.type)}" if f.name and f.type else f.name or (show(f.type or NONE))
        for f in message.fields
    ]
    return f"{message.label}{generics}" + (f"({', '.join(parts)})" if parts else "")


def alike(one: Message, other: Message) -> bool:
    """Whether two messages have one label and payloads that mean the same."""
    if one is other or one == other:
        return True
    return one.label == other.label and parts_of(one) == parts_of(other)


def parts_of(message: Message) -> Parts:
    """What the wire carries for a message: named fields, or values by position; nothing where
    nothing is declared."""
    generics = message.generics
    if not any(field.name for field in message.fields):
        written = [f.type for f in message.fields if f.type is not None] or generics
        return tuple(("", meaning(type_)) for type_ in written)
    found = list[tuple[str, Meaning]]()
    for position, field in enumerate(message.fields):
        type_ = field.type or (generics[position] if position < len(generics) else ANYTHING)
        found.append((field.name or f"field{position + 1}", meaning(type_)))
    return tuple(found)


def meaning(type_: TypeExpr) -> Meaning:
    """Types nest at most as deep as the parser lets them, so this may recurse."""
    found = set[Kind]()
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
            found.add(_kind(here))
            if name == "Vec" and [last_segment(a.name) for a in here.arguments] == ["u8"]:
                found.add(Kind("bytes"))
    return _widest(found)


def _kind(type_: TypeExpr) -> Kind:
    last = last_segment(type_.name)
    name = KINDS.get(last, type_.name)
    if name == "int":
        return Kind(name, INTEGERS[last])
    arguments = type_.arguments or (ANYTHING,) * BARE.get(name, 0)
    if name == "tuple" and (not type_.arguments or arguments[-1].name == "..."):
        name, arguments = "list", arguments[:1]
    meanings = tuple(map(meaning, arguments))
    if name == "dict" and not _is_text(meanings[0]):
        name = "pairs"
    return Kind(name, arguments=meanings)


def _is_text(key: Meaning) -> bool:
    """Whether a dict with such keys goes over the wire as a map, and not as a list of pairs."""
    names = {kind.name for kind in key}
    return len(names) == 1 and not names & NO_KEYS


def _widest(kinds: set[Kind]) -> Meaning:
    """Without those that others take as well."""
    if len({kind.name for kind in kinds}) == len(kinds):
        return frozenset(kinds)
    return frozenset(k for k in kinds if not any(_takes(o, k) for o in kinds if o != k))


def takes(wider: Meaning, narrower: Meaning) -> bool:
    """Whether every value of one type is one of the other."""
    return wider == narrower or all(any(_takes(w, n) for w in wider) for n in narrower)


def _takes(wider: Kind, narrower: Kind) -> bool:
    if wider.name != narrower.name or len(wider.arguments) != len(narrower.arguments):
        return False
    (lowest, highest), (low, high) = wider.span, narrower.span
    return (
        lowest <= low and high <= highest and all(map(takes, wider.arguments, narrower.arguments))
    )
