"""The user's own types in payloads: dataclasses, msgspec Structs, TypedDicts, enums, pydantic
models (recognised by their methods, so that pydantic is never imported for them)."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass
from typing import Any

import msgspec

from .payload_types import NOTHING, SAMPLE_WORDS, Checker, Mismatch, plain

CARRIED = (bytes,)


@dataclass(frozen=True, slots=True)
class Known:
    """msgspec converts both ways. What goes out is checked as strictly as what comes in."""

    text: str
    kind: type[Any]
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> Any:
        try:
            raw = plain(msgspec.to_builtins(value, builtin_types=CARRIED))
            msgspec.convert(raw, self.kind, strict=True, builtin_types=CARRIED)
        except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
            raise _mismatch(self.text, value, error) from None
        return raw

    def unpack(self, raw: Any) -> Any:
        try:
            return msgspec.convert(raw, self.kind, strict=True, builtin_types=CARRIED)
        except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
            raise _mismatch(self.text, raw, error) from None

    def sample(self, rng: random.Random) -> Any:
        return _sample(msgspec.inspect.type_info(self.kind), rng, 0)


@dataclass(frozen=True, slots=True)
class Model:
    """A pydantic model."""

    text: str
    kind: Any
    exact: frozenset[type] = NOTHING

    def pack(self, value: Any) -> Any:
        if isinstance(value, self.kind):
            value = self.kind.model_dump(value, mode="json", warnings=False)
        self.unpack(value)
        return plain(value)

    def unpack(self, raw: Any) -> Any:
        try:
            return self.kind.model_validate_json(msgspec.json.encode(raw), strict=True)
        except (ValueError, TypeError, RecursionError) as error:
            raise _mismatch(self.text, raw, error) from None

    def sample(self, rng: random.Random) -> Any:
        fields: dict[str, Any] = self.kind.model_fields
        infos = {name: msgspec.inspect.type_info(f.annotation) for name, f in fields.items()}
        return {name: _sample(info, rng, 0) for name, info in infos.items()}


def known_checker(text: str, type_: type) -> Checker:
    if hasattr(type_, "model_validate_json") and hasattr(type_, "model_dump"):
        return Model(text, type_)
    return Known(text, type_)


def _mismatch(text: str, value: object, error: Exception) -> Mismatch:
    """msgspec says `Expected X, got Y - at `$.a.b``; the path goes where ours are."""
    said, _, place = str(error).partition(" - at `$")
    if not isinstance(error, msgspec.ValidationError):
        return Mismatch(text, value)
    expected, _, got = said.removeprefix("Expected ").partition(", got ")
    wrong = Mismatch(expected.replace("`", "") if place else text, value)
    if place:
        wrong.path, wrong.got = place.removesuffix("`"), got.replace("`", "")
    return wrong


def _sample(info: msgspec.inspect.Type, rng: random.Random, depth: int) -> Any:
    """A plain value of a type, as small as it may be below a few levels."""
    kinds = msgspec.inspect
    match info:
        case kinds.StrType():
            return rng.choice(SAMPLE_WORDS)[: info.max_length or None]
        case kinds.IntType():
            return rng.randint(info.ge or 1, max(info.ge or 1, info.le or 100))
        case kinds.FloatType():
            return round(rng.uniform(0, 100), 2)
        case kinds.BoolType():
            return rng.random() < 0.5
        case kinds.BytesType():
            return b"\x01\x02\x03\x04"
        case kinds.UnionType():
            none = next((t for t in info.types if isinstance(t, kinds.NoneType)), None)
            return None if none and depth > 2 else _sample(info.types[0], rng, depth)
        case kinds.ListType() | kinds.SetType() | kinds.VarTupleType() | kinds.FrozenSetType():
            return [] if depth > 2 else [_sample(info.item_type, rng, depth + 1)]
        case kinds.TupleType():
            return [_sample(item, rng, depth + 1) for item in info.item_types]
        case kinds.DictType():
            key, value = info.key_type, info.value_type
            return {} if depth > 2 else {_sample(key, rng, depth): _sample(value, rng, depth + 1)}
        case kinds.StructType() | kinds.DataclassType() | kinds.TypedDictType():
            return {
                f.encode_name: _sample(f.type, rng, depth + 1) for f in info.fields if f.required
            }
        case kinds.EnumType():
            return _first_member(info.cls)
        case kinds.LiteralType():
            return info.values[0]
        case _:
            return None


def _first_member(cls: type[enum.Enum]) -> Any:
    return next(iter(cls)).value
