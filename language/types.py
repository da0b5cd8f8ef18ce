"""Type expressions -> checkers: the guide's names and Python's mean the same types."""

from __future__ import annotations

from collections.abc import Mapping

from .known_types import known_checker
from .payload_containers import DictOf, ListOf, OneOf, ResultOf, SetOf, TupleOf
from .payload_types import (
    HIGHEST,
    LOWEST,
    SAMPLE_WORDS,
    Character,
    Checker,
    Integer,
    Opaque,
    Plain,
    Real,
)
from .tree import TypeExpr

LISTS = frozenset({"Vec", "VecDeque", "list", "List", "Sequence"})
SETS = frozenset({"HashSet", "BTreeSet", "set", "Set", "frozenset"})
MAPS = frozenset({"HashMap", "BTreeMap", "dict", "Dict", "Mapping"})
OPTIONS = frozenset({"Option", "Optional"})
TUPLES = frozenset({"tuple", "Tuple"})
BOXES = frozenset({"Box", "Rc", "Arc", "Cow"})
TEXTS = frozenset({"String", "str"})
BYTES = frozenset({"bytes", "Bytes"})
REALS = frozenset({"f32", "f64", "float"})
UNITS = frozenset({"()", "None"})
ANY = frozenset({"Any", "object", "Value"})
INTEGERS: dict[str, tuple[int, int]] = {
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    "i128": (LOWEST, HIGHEST),
    "u128": (0, HIGHEST),
    "isize": (LOWEST, 2**63 - 1),
    "usize": (0, HIGHEST),
    "int": (LOWEST, HIGHEST),
}

ARITY: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(LISTS | SETS | OPTIONS | BOXES, (1, 1)),
    **dict.fromkeys(MAPS, (2, 2)),
    "Result": (2, 2),
    "list": (0, 1),
    "set": (0, 1),
    "frozenset": (0, 1),
    "dict": (0, 2),
    "tuple": (0, None),
    "Tuple": (1, None),
    **dict.fromkeys(TEXTS | BYTES | REALS | UNITS | {"bool", "char"} | INTEGERS.keys(), (0, 0)),
}
"""How many arguments a type takes: at least and at most. Names that are not here are the
user's own."""


def last_segment(name: str) -> str:
    """`Vec` of `std::vec::Vec`, `Decimal` of `decimal.Decimal`."""
    return name.rpartition("::")[2].rpartition(".")[2] or name


def show(type_: TypeExpr) -> str:
    """A type as the projections print it: generics in angle brackets, no spaces."""
    arguments = [show(argument) for argument in type_.arguments]
    if type_.name == "|":
        return "|".join(arguments)
    if type_.name == "tuple" and arguments:
        return f"({','.join(arguments)}{',' if len(arguments) == 1 else ''})"
    return f"{type_.name}<{','.join(arguments)}>" if arguments else type_.name


def checker(type_: TypeExpr, known: Mapping[str, type]) -> Checker:
    """The checker of a type. A name that means nothing to us and is not `known` is opaque."""
    text = show(type_)
    for name in (type_.name, last_segment(type_.name)):
        if name in known:
            return known_checker(text, known[name])
    name = last_segment(type_.name)
    inner = [checker(argument, known) for argument in type_.arguments]
    return _simple(name, text) if not inner else _compound(name, text, type_, inner)


def _simple(name: str, text: str) -> Checker:
    if name in TEXTS:
        return Plain(text, str, SAMPLE_WORDS)
    if name in INTEGERS:
        return Integer(text, *INTEGERS[name])
    if name in REALS:
        return Real(text)
    if name in BYTES:
        return Plain(text, bytes, (b"\x01\x02\x03\x04",))
    if name in UNITS:
        return Plain(text, type(None), (None,))
    if name == "bool":
        return Plain(text, bool, (True, False))
    if name == "char":
        return Character(text)
    if name in LISTS | TUPLES:
        return ListOf(text, Opaque("Any"))
    if name in SETS:
        return SetOf(text, Opaque("Any"))
    if name in MAPS:
        return DictOf(text, Opaque("Any"), Opaque("Any"))
    return Opaque(text)


def _compound(name: str, text: str, type_: TypeExpr, inner: list[Checker]) -> Checker:
    if name == "|":
        return OneOf(text, tuple(inner))
    if name in TUPLES:
        if type_.arguments[-1].name == "...":
            return ListOf(text, inner[0])
        return TupleOf(text, tuple(inner))
    if name in LISTS:
        if name == "Vec" and last_segment(type_.arguments[0].name) == "u8":
            return OneOf(text, (Plain(text, bytes, (b"\x01\x02",)), ListOf(text, inner[0])))
        return ListOf(text, inner[0])
    if name in SETS:
        return SetOf(text, inner[0])
    if name in OPTIONS:
        return OneOf(text, (inner[0], Plain("None", type(None), (None,))))
    if name in BOXES:
        return inner[0]
    if name in MAPS and len(inner) == 2:
        return DictOf(text, inner[0], inner[1])
    if name == "Result" and len(inner) == 2:
        return ResultOf(text, inner[0], inner[1])
    return Opaque(text)
