"""Declared payload types as annotations of the Python values that a role function sees."""

from __future__ import annotations

from collections.abc import Callable

from ..tree import TypeExpr
from ..types import (
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
)

Foreign = Callable[[str, tuple[str, ...]], str]
"""The annotation of a type that the language does not know, given its name and arguments."""

SIMPLE: dict[str, str] = {
    **dict.fromkeys(TEXTS | {"char"}, "str"),
    **dict.fromkeys(INTEGERS, "int"),
    **dict.fromkeys(REALS, "float"),
    **dict.fromkeys(BYTES, "bytes"),
    **dict.fromkeys(UNITS, "None"),
    **dict.fromkeys(ANY, "Any"),
    **dict.fromkeys(LISTS | TUPLES, "list[Any]"),
    **dict.fromkeys(SETS, "set[Any]"),
    **dict.fromkeys(MAPS, "dict[Any, Any]"),
    "bool": "bool",
}


def annotation(type_: TypeExpr, foreign: Foreign) -> str:
    """The annotation of what `payload.Shape` hands over for this type."""
    name = last_segment(type_.name)
    inner = [annotation(one, foreign) for one in type_.arguments if one.name != "..."]
    if not inner:
        return SIMPLE.get(name) or foreign(name, ())
    if name == "|":
        return union(inner)
    if name in OPTIONS:
        return union([inner[0], "None"])
    if name in TUPLES and type_.arguments[-1].name != "...":
        return f"tuple[{', '.join(inner)}]"
    if name == "Vec" and last_segment(type_.arguments[0].name) == "u8":
        return "bytes | list[int]"
    if name in LISTS | TUPLES:
        return f"list[{inner[0]}]"
    if name in SETS:
        return f"set[{inner[0]}]"
    if name in BOXES:
        return inner[0]
    if name in MAPS and len(inner) == 2:
        return f"dict[{inner[0]}, {inner[1]}]"
    if name == "Result" and len(inner) == 2:
        return f"dict[str, {union(inner)}]"
    return foreign(name, tuple(inner))


def union(types: list[str]) -> str:
    """`A | B`, each once, None at the end; Any swallows the rest."""
    parts = dict.fromkeys(part for type_ in types for part in _members(type_))
    if "Any" in parts:
        return "Any"
    ordered = [p for p in parts if p != "None"] + [p for p in parts if p == "None"]
    return " | ".join(ordered)


def _members(type_: str) -> list[str]:
    from .layout import divided

    return divided(type_, " | ")
