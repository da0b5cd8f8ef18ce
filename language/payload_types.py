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
            return [_at(plain, item, f"[{n}]", depth + 1) for n, item in enumerate(value)]
        if is_map(value):
            return {_key(k): _at(plain, v, f"[{k!r}]", depth + 1) for k, v in value.items()}
        if isinstance(value, str):
            return str.__str__(value)
    raise Mismatch("a plain value (None, bool, int, float, str, bytes, list, dict)", value)


def _key(key: Any) -> Any:
    if type(key) is str or (type(key) is int and LOWEST <= key <= HIGHEST):
        return key
    raise Mismatch("a key that is str or int", key)


def _at(check: Callable[..., Any], value: Any, place: str, *more: Any) -> Any:
    try:
        return check(value, *more)
    except Mismatch as wrong:
        raise wrong.within(place) from None


def listed(raw: Any, expected: str) -> list[Any]:
    if not is_list(raw):
        raise Mismatch(expected, raw)
    return raw


def items(check: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """Each value checked; a mismatch says at which position."""
    result: list[Any] = []
    try:
        for value in values:
            result.append(check(value))
    except Mismatch as wrong:
        raise wrong.within(f"[{len(result)}]") from None
    return result


@dataclass(frozen=True, slots=True)
class ListOf:
    text: str
    item: Checker
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> list[Any]:
        if not is_sequence(value):
            raise Mismatch(self.text, value)
        return self._each(self.item.pack, value)

    def unpack(self, raw: Any) -> list[Any]:
        return self._each(self.item.unpack, listed(raw, self.text))

    def _each(self, check: Callable[[Any], Any], value: Any) -> list[Any]:
        if self.item.exact and set(map(type, value)) <= self.item.exact:
            return list(value)
        return items(check, value)

    def sample(self, rng: random.Random) -> list[Any]:
        return [self.item.sample(rng) for _ in range(rng.randint(1, 3))]


@dataclass(frozen=True, slots=True)
class SetOf:
    """On the wire a list without duplicates."""

    text: str
    item: Checker
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> list[Any]:
        if not is_set(value):
            raise Mismatch(self.text, value)
        packed = items(self.item.pack, list(value))
        return sorted(packed) if set(map(type, packed)) in ({str}, {int}) else packed

    def unpack(self, raw: Any) -> set[Any]:
        values = items(self.item.unpack, listed(raw, self.text))
        try:
            found = set(values)
        except TypeError:
            raise Mismatch(f"{self.text} of hashable values", values) from None
        if len(found) != len(values):
            raise Mismatch(f"{self.text} without duplicates", values)
        return found

    def sample(self, rng: random.Random) -> list[Any]:
        return [self.item.sample(rng)]


@dataclass(frozen=True, slots=True)
class DictOf:
    """On the wire a map if the keys are text, otherwise a list of pairs."""

    text: str
    key: Checker
    value: Checker
    exact: frozenset[type] = NOTHING

    @property
    def as_map(self) -> bool:
        return isinstance(self.key, Opaque) or (
            isinstance(self.key, Plain) and self.key.kind is str
        )

    def pack(self, value: Any) -> Any:
        if not is_map(value):
            raise Mismatch(self.text, value)
        pairs = [(self.key.pack(k), _at(self.value.pack, v, f"[{k!r}]")) for k, v in value.items()]
        return dict(pairs) if self.as_map else [list(pair) for pair in pairs]

    def unpack(self, raw: Any) -> dict[Any, Any]:
        if self.as_map:
            if not is_map(raw):
                raise Mismatch(self.text, raw)
            return {
                self.key.unpack(k): _at(self.value.unpack, v, f"[{k!r}]") for k, v in raw.items()
            }
        return dict(items(self._pair, listed(raw, self.text)))

    def _pair(self, raw: Any) -> tuple[Any, Any]:
        pair = listed(raw, "a key and a value")
        if len(pair) != 2:
            raise Mismatch("a key and a value", pair)
        key = self.key.unpack(pair[0])
        try:
            hash(key)
        except TypeError:
            raise Mismatch("a hashable key", key) from None
        return key, self.value.unpack(pair[1])

    def sample(self, rng: random.Random) -> Any:
        key, value = self.key.sample(rng), self.value.sample(rng)
        return {key: value} if self.as_map else [[key, value]]


@dataclass(frozen=True, slots=True)
class TupleOf:
    text: str
    members: tuple[Checker, ...]
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> list[Any]:
        if not is_sequence(value):
            raise Mismatch(self.text, value)
        return self._each(value, [member.pack for member in self.members])

    def unpack(self, raw: Any) -> tuple[Any, ...]:
        values = listed(raw, self.text)
        return tuple(self._each(values, [member.unpack for member in self.members]))

    def _each(self, values: Any, checks: list[Callable[[Any], Any]]) -> list[Any]:
        if len(values) != len(checks):
            raise Mismatch(f"{self.text} ({len(checks)} values)", values)
        pairs = enumerate(zip(checks, values, strict=True))
        return [_at(check, value, f"[{n}]") for n, (check, value) in pairs]

    def sample(self, rng: random.Random) -> list[Any]:
        return [member.sample(rng) for member in self.members]


@dataclass(frozen=True, slots=True)
class OneOf:
    """`T | None`, `Option<T>`, `A | B`: the first alternative that takes the value."""

    text: str
    members: tuple[Checker, ...]

    @property
    def exact(self) -> frozenset[type]:
        return NOTHING.union(*(member.exact for member in self.members))

    def pack(self, value: Any) -> Any:
        return self._first(value, [member.pack for member in self.members])

    def unpack(self, raw: Any) -> Any:
        return self._first(raw, [member.unpack for member in self.members])

    def _first(self, value: Any, checks: list[Callable[[Any], Any]]) -> Any:
        deepest: Mismatch | None = None
        for check in checks:
            try:
                return check(value)
            except Mismatch as wrong:
                if wrong.path and (deepest is None or len(wrong.path) > len(deepest.path)):
                    deepest = wrong
        raise deepest if deepest is not None else Mismatch(self.text, value)

    def sample(self, rng: random.Random) -> Any:
        return self.members[0].sample(rng)


@dataclass(frozen=True, slots=True)
class ResultOf:
    """`Result<T, E>`: `{"Ok": value}` or `{"Err": value}`."""

    text: str
    ok: Checker
    err: Checker
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> dict[str, Any]:
        return self._either(value, self.ok.pack, self.err.pack)

    def unpack(self, raw: Any) -> dict[str, Any]:
        return self._either(raw, self.ok.unpack, self.err.unpack)

    def _either(
        self, value: Any, ok: Callable[[Any], Any], err: Callable[[Any], Any]
    ) -> dict[str, Any]:
        if is_map(value):
            match value:
                case {"Ok": inner, **rest} if not rest:
                    return {"Ok": _at(ok, inner, ".Ok")}
                case {"Err": inner, **rest} if not rest:
                    return {"Err": _at(err, inner, ".Err")}
                case _:
                    pass
        raise Mismatch(f'{self.text} as {{"Ok": ...}} or {{"Err": ...}}', value)

    def sample(self, rng: random.Random) -> dict[str, Any]:
        return {"Ok": self.ok.sample(rng)}
