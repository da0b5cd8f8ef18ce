"""Declared types as checkers: each takes a value to its plain form and back, or refuses it.

Plain is what msgpack carries: None, bool, int of 64 bits, float, str, bytes, list and dict.
Nothing is converted silently: `"1"` is no `i32`, True is no number, and only an integer
that a float holds exactly may stand for a float.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

DEPTH_LIMIT = 64
LOWEST, HIGHEST = -(2**63), 2**64 - 1
SAMPLE_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath")


class Mismatch(Exception):
    """Raised inside the checkers only; `path` grows on the way out."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(expected)
        self.path = ""
        self.expected = expected
        self.got = describe(value)

    def within(self, place: str) -> Mismatch:
        """The same, seen from the container; `place` is `[2]` or `.name`."""
        self.path = place + self.path
        return self


def describe(value: object) -> str:
    """A value for a message: its type only, because payloads must not get into logs."""
    return "None" if value is None else type(value).__name__


class Checker(Protocol):
    """`text` is the type as the author would write it; `exact` the Python types whose values
    need no further look, in either direction."""

    @property
    def text(self) -> str: ...
    @property
    def exact(self) -> frozenset[type]: ...
    def pack(self, value: Any, /) -> Any: ...
    def unpack(self, raw: Any, /) -> Any: ...
    def sample(self, rng: random.Random) -> Any: ...


def is_map(value: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return type(value) is list


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    return isinstance(value, tuple)


def is_set(value: object) -> TypeGuard[AbstractSet[Any]]:
    return isinstance(value, set | frozenset)


NOTHING: frozenset[type] = frozenset()
UNTOUCHED: frozenset[type] = frozenset({str, bytes, bool, float, type(None)})


@dataclass(frozen=True, slots=True)
class Plain:
    """str, bool, bytes and the unit: exactly one Python type."""

    text: str
    kind: type[Any]
    samples: tuple[Any, ...]

    @property
    def exact(self) -> frozenset[type]:
        return frozenset({self.kind})

    def pack(self, value: Any) -> Any:
        if type(value) is self.kind:
            return value
        if isinstance(value, self.kind) and self.kind is str:
            return str.__str__(value)
        raise Mismatch(self.text, value)

    def unpack(self, raw: Any) -> Any:
        if type(raw) is self.kind:
            return raw
        raise Mismatch(self.text, raw)

    def sample(self, rng: random.Random) -> Any:
        return rng.choice(self.samples)


@dataclass(frozen=True, slots=True)
class Integer:
    text: str
    lowest: int = LOWEST
    highest: int = HIGHEST
    exact: frozenset[type] = NOTHING

    def unpack(self, raw: Any) -> int:
        if type(raw) is int:
            if self.lowest <= raw <= self.highest:
                return raw
            raise Mismatch(f"{self.text} ({self.lowest} to {self.highest})", raw)
        raise Mismatch(self.text, raw)

    def pack(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            value = int(value)
        return self.unpack(value)

    def sample(self, rng: random.Random) -> int:
        return rng.randint(1, min(100, self.highest))


@dataclass(frozen=True, slots=True)
class Real:
    text: str
    exact: frozenset[type] = frozenset({float})

    def unpack(self, raw: Any) -> float:
        if type(raw) is float:
            return raw
        if type(raw) is int and abs(raw) <= 2**53:
            return float(raw)
        raise Mismatch(self.text, raw)

    def pack(self, value: Any) -> float:
        return self.unpack(float(value) if isinstance(value, float) else value)

    def sample(self, rng: random.Random) -> float:
        return round(rng.uniform(0, 100), 2)


@dataclass(frozen=True, slots=True)
class Character:
    text: str
    exact: frozenset[type] = NOTHING

    def unpack(self, raw: Any) -> str:
        if type(raw) is str and len(raw) == 1:
            return raw
        raise Mismatch("one character", raw)

    def pack(self, value: Any) -> str:
        return self.unpack(value)

    def sample(self, rng: random.Random) -> str:
        return rng.choice("abcdef")


@dataclass(frozen=True, slots=True)
class Opaque:
    """A type that nobody has told us about: any plain value."""

    text: str
    exact: frozenset[type] = UNTOUCHED

    def pack(self, value: Any) -> Any:
        return plain(value)

    def unpack(self, raw: Any) -> Any:
        return plain(raw)

    def sample(self, rng: random.Random) -> Any:
        return {"kind": self.text, "id": rng.randint(1, 999)}


def plain(value: Any, depth: int = 0) -> Any:
    """The value, with tuples as lists; refuses what msgpack could not carry."""
    if type(value) in UNTOUCHED:
        return value
    if type(value) is int and LOWEST <= value <= HIGHEST:
        return value
    if depth < DEPTH_LIMIT:
        if is_sequence(value):
            if set(map(type, value)) <= UNTOUCHED:
                return list(value)
            return [at(plain, item, f"[{n}]", depth + 1) for n, item in enumerate(value)]
        if is_map(value):
            return {_key(k): at(plain, v, f"[{k!r}]", depth + 1) for k, v in value.items()}
        if isinstance(value, str):
            return str.__str__(value)
    raise Mismatch("a plain value (None, bool, int, float, str, bytes, list, dict)", value)


def _key(key: Any) -> Any:
    if type(key) is str or (type(key) is int and LOWEST <= key <= HIGHEST):
        return key
    raise Mismatch("a key that is str or int", key)


def at(check: Callable[..., Any], value: Any, place: str, *more: Any) -> Any:
    try:
        return check(value, *more)
    except Mismatch as wrong:
        raise wrong.within(place) from None
