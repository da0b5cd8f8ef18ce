"""Payloads: what a message's declaration lets through, in plain form and as the user sees it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import PayloadError
from .payload_containers import is_immutable
from .payload_types import NOTHING, Checker, Mismatch, Opaque, Plain, is_list, is_map, is_tuple
from .tree import Message, TypeExpr
from .types import checker, show


class Record(dict[str, Any]):
    """Named values of a message without declared fields; `record.price` is `record["price"]`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"no field {name}; there are {', '.join(self) or 'none'}"
            ) from None


class Shape(ABC):
    """How the payload of one message is checked. Made once per message by `Shape.of`.

    The kinds: named fields (a frozen struct), one value, several values (a tuple), and
    free (nothing declared: any plain value, or keyword arguments as a `Record`).
    """

    __slots__ = ("label", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.label = message.label

    @staticmethod
    def of(message: Message, known: Mapping[str, type] | None = None) -> Shape:
        """`known` are the user's own types by the name the protocol uses for them."""
        types = known or {}
        if any(field.name for field in message.fields):
            return _Named(message, types)
        written = [f.type for f in message.fields if f.type is not None] or list(message.generics)
        checkers = [checker(type_, types) for type_ in written]
        if not checkers:
            return _Free(message)
        return _Single(message, checkers[0]) if len(checkers) == 1 else _Several(message, checkers)

    @property
    def signature(self) -> str:
        """`Data<Vec<String>,HashMap<String,i32>>`: the label and what it is generic over."""
        if not self.message.generics:
            return self.label
        return f"{self.label}<{','.join(show(t) for t in self.message.generics)}>"

    @property
    def describe(self) -> str:
        """`Offer(price: i32, item: String)`: how the message is sent."""
        parts = [
            f"{f.name}: {show(f.type)}" if f.name and f.type else f.name or _show(f.type)
            for f in self.message.fields
        ]
        return f"{self.signature}({', '.join(parts)})" if parts else self.signature

    @property
    def exact(self) -> frozenset[type]:
        """The types whose values, sent by themselves, need no further look in either direction."""
        return NOTHING

    @property
    def immutable(self) -> bool:
        """Whether several may be given the same object as what they receive."""
        return False

    @abstractmethod
    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The plain form of what the user sends. Raises `PayloadError`."""

    @abstractmethod
    def unpack(self, raw: Any) -> Any:
        """What the user receives, checked as on sending. Raises `PayloadError`."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Any:
        """A plausible payload in plain form."""

    def _wrong(self, mismatch: Mismatch, field: str = "") -> PayloadError:
        place = f"{field}{mismatch.path}".lstrip(".")
        of = f"{self.label}.{place}" if place and not place.startswith("[") else self.label + place
        return PayloadError(
            f"{of} must be {mismatch.expected}, got {mismatch.got}",
            label=self.label,
            field=place,
            expected=mismatch.expected,
            got=mismatch.got,
            hint=f"the message is {self.describe}",
        )

    def _count(self, expected: str, got: str) -> PayloadError:
        return PayloadError(
            f"{self.label} takes {expected}, got {got}",
            label=self.label,
            expected=expected,
            got=got,
            hint=f"the message is {self.describe}",
        )


def _show(type_: TypeExpr | None) -> str:
    return show(type_) if type_ is not None else "?"


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    named = f" and {', '.join(kwargs)}" if kwargs else ""
    return f"{len(args)} value{'s' if len(args) != 1 else ''}{named}"


class _Free(Shape):
    """Nothing is declared."""

    __slots__ = ("_any",)

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self._any = Opaque("Any")

    @property
    def exact(self) -> frozenset[type]:
        return self._any.exact

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not args and not kwargs:
            return None
        if len(args) + bool(kwargs) > 1:
            raise self._count("one value or named values", _given(args, kwargs))
        try:
            return self._any.pack(kwargs or next(iter(args)))
        except Mismatch as wrong:
            raise self._wrong(wrong) from None

    def unpack(self, raw: Any) -> Any:
        if raw is None:
            return None
        try:
            value = self._any.unpack(raw)
        except Mismatch as wrong:
            raise self._wrong(wrong) from None
        return _recorded(value)

    def sample(self, rng: random.Random) -> Any:
        return None


def _recorded(value: Any) -> Any:
    if is_map(value) and set(map(type, value)) <= {str}:
        return Record(value)
    return value


class _Single(Shape):
    """One value of a declared type, sent as one argument, or none for the unit."""

    __slots__ = ("_check", "_optional")

    def __init__(self, message: Message, check: Checker) -> None:
        super().__init__(message)
        self._check = check
        self._optional = isinstance(check, Opaque) or (
            isinstance(check, Plain) and check.kind is type(None)
        )

    @property
    def exact(self) -> frozenset[type]:
        return self._check.exact

    @property
    def immutable(self) -> bool:
        return is_immutable(self._check)

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) != 1 or kwargs:
            return self._unusual(args, kwargs)
        try:
            return self._check.pack(args[0])
        except Mismatch as wrong:
            raise self._wrong(wrong) from None

    def _unusual(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Named values make a value of a type that has fields or is not known to us."""
        if args or not (kwargs or self._optional):
            raise self._count(f"one value of type {self._check.text}", _given(args, kwargs))
        try:
            return self._check.pack(kwargs if kwargs else None)
        except Mismatch as wrong:
            raise self._wrong(wrong) from None

    def unpack(self, raw: Any) -> Any:
        try:
            value = self._check.unpack(raw)
        except Mismatch as wrong:
            raise self._wrong(wrong) from None
        return _recorded(value) if self._optional else value

    def sample(self, rng: random.Random) -> Any:
        return self._check.sample(rng)


class _Several(Shape):
    """Values by position."""

    __slots__ = ("_checks",)

    def __init__(self, message: Message, checks: list[Checker]) -> None:
        super().__init__(message)
        self._checks = checks

    @property
    def immutable(self) -> bool:
        return all(map(is_immutable, self._checks))

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if len(args) == 1 and is_tuple(args[0]):
            args = args[0]
        if kwargs or len(args) != len(self._checks):
            raise self._count(f"{len(self._checks)} values", _given(args, kwargs))
        result: list[Any] = []
        try:
            for check, value in zip(self._checks, args, strict=True):
                result.append(check.pack(value))
        except Mismatch as wrong:
            raise self._wrong(wrong, f"[{len(result)}]") from None
        return result

    def unpack(self, raw: Any) -> tuple[Any, ...]:
        if not is_list(raw) or len(raw) != len(self._checks):
            raise self._wrong(Mismatch(f"{len(self._checks)} values", raw))
        result: list[Any] = []
        try:
            for check, value in zip(self._checks, raw, strict=True):
                result.append(check.unpack(value))
        except Mismatch as wrong:
            raise self._wrong(wrong, f"[{len(result)}]") from None
        return tuple(result)

    def sample(self, rng: random.Random) -> list[Any]:
        return [check.sample(rng) for check in self._checks]


class _Named(Shape):
    """Named fields: keyword arguments, or values in the declared order. The user receives
    a frozen struct; on the wire it is a map."""

    __slots__ = ("_fields", "_struct")

    def __init__(self, message: Message, known: Mapping[str, type]) -> None:
        super().__init__(message)
        self._fields: dict[str, Checker] = {}
        for position, field in enumerate(message.fields):
            written = field.type
            if written is None and position < len(message.generics):
                written = message.generics[position]
            check: Checker = Opaque("Any") if written is None else checker(written, known)
            self._fields[field.name or f"field{position + 1}"] = check
        self._struct: Any = msgspec.defstruct(
            message.label, [(name, Any) for name in self._fields], frozen=True
        )

    @property
    def immutable(self) -> bool:
        return all(map(is_immutable, self._fields.values()))

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if args or len(kwargs) != len(self._fields):
            kwargs = self._by_name(args, kwargs)
        raw: dict[str, Any] = {}
        name = ""
        try:
            for name, check in self._fields.items():
                raw[name] = check.pack(kwargs[name])
        except Mismatch as wrong:
            raise self._wrong(wrong, name) from None
        except KeyError:
            raise self._misnamed(kwargs) from None
        return raw

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if len(args) == 1 and not kwargs and isinstance(args[0], self._struct):
            return {name: getattr(args[0], name) for name in self._fields}
        given = dict(zip(self._fields, args, strict=False))
        if len(args) > len(self._fields) or given.keys() & kwargs.keys():
            raise self._count(f"the fields {', '.join(self._fields)}", _given(args, kwargs))
        given |= kwargs
        if given.keys() != self._fields.keys():
            raise self._misnamed(given)
        return given

    def _misnamed(self, given: Mapping[Any, Any]) -> PayloadError:
        missing = [name for name in self._fields if name not in given]
        extra = [str(name) for name in given if name not in self._fields]
        said = [f"no {name}" for name in missing] + [f"an unknown {name}" for name in extra[:5]]
        return self._count(f"the fields {', '.join(self._fields)}", " and ".join(said) or "others")

    def unpack(self, raw: Any) -> Any:
        if not is_map(raw):
            raise self._wrong(Mismatch(f"the fields {', '.join(self._fields)}", raw))
        if len(raw) != len(self._fields):
            raise self._misnamed(raw)
        values: list[Any] = []
        name = ""
        try:
            for name, check in self._fields.items():
                values.append(check.unpack(raw[name]))
        except Mismatch as wrong:
            raise self._wrong(wrong, name) from None
        except KeyError:
            raise self._misnamed(raw) from None
        return self._struct(*values)

    def sample(self, rng: random.Random) -> dict[str, Any]:
        return {name: check.sample(rng) for name, check in self._fields.items()}
