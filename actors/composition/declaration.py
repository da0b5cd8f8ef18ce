"""What a message declares, as named fields with types, so that two messages can be compared."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ...language.errors import PayloadError
from ...language.payload import Shape
from ...language.tree import Message, TypeExpr
from ...language.types import (
    ANY,
    BYTES,
    INTEGERS,
    LISTS,
    MAPS,
    OPTIONS,
    REALS,
    SETS,
    TEXTS,
    UNITS,
    last_segment,
)
from .errors import AdaptationFailed

_ALIKE = (
    (TEXTS, "str"),
    (BYTES, "bytes"),
    (REALS, "float"),
    (UNITS, "None"),
    (LISTS, "list"),
    (SETS, "set"),
    (MAPS, "dict"),
    (ANY, "Any"),
)
_ALONE = "value"


class Declaration:
    """The message `label` of a protocol. `fields` are the types by name, None where nothing is
    declared and a payload may have any fields.

    A payload of one value without a name has the field `value`, unless it is of a user's own type
    that has fields: then it has these. Several values have the fields `0`, `1`, ...
    """

    def __init__(self, message: Message, known: Mapping[str, Any]) -> None:
        self.label = message.label
        self.known = known
        self._shape = Shape.of(message, known)
        self._message = message
        self._names = any(field.name for field in message.fields)
        types_ = [f.type for f in message.fields if f.type] or list(message.generics)
        self._own: Any = None
        if self._names:
            self.fields: dict[str, TypeExpr] | None = self._named()
        elif len(types_) == 1:
            self._own = _own_type(types_[0], known)
            self.fields = _fields_of(self._own) or {_ALONE: types_[0]}
        else:
            self.fields = {str(n): one for n, one in enumerate(types_)} if types_ else None
        self._is_record = self._own is not None and _ALONE not in (self.fields or {})

    def _named(self) -> dict[str, TypeExpr]:
        found: dict[str, TypeExpr] = {}
        for position, field in enumerate(self._message.fields):
            generics = self._message.generics
            generic = generics[position] if position < len(generics) else TypeExpr("Any")
            found[field.name or f"field{position + 1}"] = field.type or generic
        return found

    # --- payloads as fields ------------------------------------------------------------

    def take(self, payload: Any) -> dict[str, Any]:
        """The fields of a payload as it was received, or in a mapping where they have names. Raises
        `AdaptationFailed` for a field that is unknown or missing."""
        found = self._taken(payload)
        if self.fields is not None:
            for name in found.keys() - self.fields.keys():
                raise AdaptationFailed(self.label, name, "is unknown")
            for name in self.fields.keys() - found.keys():
                raise AdaptationFailed(self.label, name, "is missing")
        return found

    def _taken(self, payload: Any) -> dict[str, Any]:
        has_names = self._names or self._is_record
        if (has_names or self.fields is None) and isinstance(payload, Mapping):
            given: Mapping[Any, Any] = payload  # pyright: ignore[reportUnknownVariableType]  # any mapping
            return {str(name): value for name, value in given.items()}
        if self.fields is None:
            return {} if payload is None else {_ALONE: payload}
        if has_names:
            return _attributes(payload, self.fields)
        if list(self.fields) == [_ALONE]:
            return {_ALONE: payload}
        values: tuple[Any, ...] = payload if isinstance(payload, tuple) else (payload,)  # pyright: ignore[reportUnknownVariableType]  # any values
        return {str(n): value for n, value in enumerate(values)}

    def checked(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same, in the types that the message declares. Raises `AdaptationFailed`."""
        return self.take(self.opened(self.give(fields)))

    def give(self, fields: Mapping[str, Any]) -> Any:
        """The payload of these fields in plain form. Raises `AdaptationFailed`."""
        try:
            return self._shape.pack(*self._arguments(dict(fields)))
        except PayloadError as wrong:
            field = (
                "" if not (self._names or self._is_record or self.fields is None) else wrong.field
            )
            problem = f"must be {wrong.expected}, got {wrong.got}"
            raise AdaptationFailed(self.label, field, problem) from wrong

    def _arguments(self, fields: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._names:
            return (), fields
        if self._is_record:
            return (self._record(fields),), {}
        if self.fields is None:
            return ((fields,) if fields else ()), {}
        return tuple(fields[name] for name in self.fields), {}

    def _record(self, fields: dict[str, Any]) -> Any:
        if typing.is_typeddict(self._own):
            return fields
        try:
            return self._own(**fields)
        except Exception as error:
            raise AdaptationFailed(
                self.label, "", f"cannot be made: {type(error).__name__}"
            ) from error

    def opened(self, raw: Any) -> Any:
        """A payload in plain form as its receiver sees it."""
        return self._shape.unpack(raw)


def _attributes(payload: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(payload, name) for name in names if hasattr(payload, name)}


def _own_type(type_: TypeExpr, known: Mapping[str, Any]) -> Any:
    return known.get(type_.name, known.get(last_segment(type_.name)))


def _fields_of(own: Any) -> dict[str, TypeExpr]:
    """Those of a dataclass, a struct, a TypedDict or a model; none of anything else."""
    if own is None:
        return {}
    if not hasattr(own, "model_fields"):
        info = msgspec.inspect.type_info(own)
        kinds = msgspec.inspect
        if not isinstance(info, kinds.StructType | kinds.DataclassType | kinds.TypedDictType):
            return {}
    return {name: _written(hint) for name, hint in typing.get_type_hints(own).items()}


def _written(hint: Any) -> TypeExpr:
    """A Python type as the language would write it."""
    if hint is None or hint is type(None):
        return TypeExpr("None")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return TypeExpr("|", tuple(map(_written, arguments)))
    if origin in (list, set, frozenset, dict):
        return TypeExpr(origin.__name__, tuple(map(_written, arguments)))
    return TypeExpr(getattr(hint, "__name__", "Any") if origin is None else "Any")


# --- types ------------------------------------------------------------------------------


def fits(source: TypeExpr, target: TypeExpr, same: Callable[[str], bool]) -> bool:
    """Whether every value of `source` is one of `target`. `same` says whether a name of the
    user's own means one type on both sides. What is `Any` is left to the check of the value."""
    one, other = _name(source), _name(target)
    if "Any" in (one, other):
        return True
    if other in ("|", "Option"):
        wanted = _alternatives(target)
        return all(any(fits(a, b, same) for b in wanted) for a in _alternatives(source))
    if one in ("|", "Option"):
        return all(fits(a, target, same) for a in _alternatives(source))
    if one in INTEGERS and other in INTEGERS:
        low, high = INTEGERS[one]
        return INTEGERS[other][0] <= low and high <= INTEGERS[other][1]
    if one != other or not (_is_common(one) or same(one)):
        return False
    if not (source.arguments and target.arguments):
        return not source.arguments or not target.arguments
    return len(source.arguments) == len(target.arguments) and all(
        fits(a, b, same) for a, b in zip(source.arguments, target.arguments, strict=True)
    )


def _alternatives(type_: TypeExpr) -> tuple[TypeExpr, ...]:
    name = _name(type_)
    if name == "Option":
        return (*type_.arguments, TypeExpr("None"))
    return type_.arguments if name == "|" else (type_,)


def _name(type_: TypeExpr) -> str:
    name = last_segment(type_.name)
    if name in OPTIONS:
        return "Option"
    return next((common for alike, common in _ALIKE if name in alike), name)


def _is_common(name: str) -> bool:
    """Whether a name means the same in every protocol."""
    return name in {"str", "bytes", "float", "None", "list", "set", "dict", "bool", "char", "tuple"}
