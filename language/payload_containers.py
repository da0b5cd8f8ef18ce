"""Lists, sets, maps, tuples and alternatives of other types."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .payload_types import (
    NOTHING,
    SAMPLE_WORDS,
    Character,
    Checker,
    Integer,
    Mismatch,
    Opaque,
    Plain,
    Real,
    at,
    is_list,
    is_map,
    is_sequence,
    is_set,
)


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
        pairs = [(self.key.pack(k), at(self.value.pack, v, f"[{k!r}]")) for k, v in value.items()]
        return dict(pairs) if self.as_map else [list(pair) for pair in pairs]

    def unpack(self, raw: Any) -> dict[Any, Any]:
        if self.as_map:
            if not is_map(raw):
                raise Mismatch(self.text, raw)
            return {
                self.key.unpack(k): at(self.value.unpack, v, f"[{k!r}]") for k, v in raw.items()
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
        named = isinstance(self.key, Opaque)
        key = rng.choice(SAMPLE_WORDS) if named else self.key.sample(rng)
        value = self.value.sample(rng)
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
        return [at(check, value, f"[{n}]") for n, (check, value) in pairs]

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
                    return {"Ok": at(ok, inner, ".Ok")}
                case {"Err": inner, **rest} if not rest:
                    return {"Err": at(err, inner, ".Err")}
                case _:
                    pass
        raise Mismatch(f'{self.text} as {{"Ok": ...}} or {{"Err": ...}}', value)

    def sample(self, rng: random.Random) -> dict[str, Any]:
        return {"Ok": self.ok.sample(rng)}


def is_immutable(check: Checker) -> bool:
    """Whether nobody can change a value that `check` gives out, so that several may have the same."""
    if isinstance(check, TupleOf | OneOf):
        return all(map(is_immutable, check.members))
    return isinstance(check, Plain | Integer | Real | Character)
