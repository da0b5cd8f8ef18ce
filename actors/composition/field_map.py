"""How the fields of one message become those of another, said field by field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from ...language.spelling import nearest
from .declaration import Declaration, fits
from .errors import AdaptationFailed, AdapterRefused


@dataclass(frozen=True, slots=True)
class Converted:
    """A field that `function` makes of the fields `of` the source."""

    function: Callable[..., Any]
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A field that the source does not have."""

    value: Any


@overload
def convert(function: Callable[[Any], Any], one: str, /) -> Converted: ...
@overload
def convert(function: Callable[[Any, Any], Any], one: str, other: str, /) -> Converted: ...
@overload
def convert(function: Callable[..., Any], /, *of: str) -> Converted: ...
def convert(function: Callable[..., Any], /, *of: str) -> Converted:
    """In a `FieldMap`: what `function` makes of these fields of the source."""
    return Converted(function, of)


def default(value: Any) -> Constant:
    """In a `FieldMap`: always this, as the source has nothing for the field."""
    return Constant(value)


Origin = str | Converted | Constant
"""Where a field comes from: the source's field of that name, some of its fields, or nowhere."""


class FieldMap:
    """The message `source` as the message `target`.

        FieldMap("Order", "PlaceOrder", {
            "item": "product",                       # renamed
            "cents": convert(to_cents, "price"),     # converted
            "currency": default("EUR"),              # not in the source
        }, drop=["fax"])

    A field with the same name and a type that fits need not be said. Nothing else is left to
    chance: every field of the target has to come from somewhere, and every field of the source
    be used or dropped.
    """

    def __init__(
        self,
        source: str,
        target: str,
        fields: Mapping[str, Origin] | None = None,
        *,
        drop: Iterable[str] = (),
    ) -> None:
        self.source = source
        self.target = target
        self.fields: Mapping[str, Origin] = dict(fields or {})
        self.drop = frozenset(drop)

    def between(self, source: Declaration, target: Declaration) -> FittedMap:
        """Checked against what both messages declare. Raises `AdapterRefused` with all that is
        wrong."""
        origins = dict(self.fields)
        for name in target.fields or ():
            has_it = source.fields is None or name in source.fields
            if has_it and name not in origins and name not in self.drop:
                origins[name] = name
        check = _Check(self, source, target, origins)
        check.run()
        if check.problems:
            names = tuple(dict.fromkeys(check.wrong))
            raise AdapterRefused(f"{self.source} as {self.target}", check.problems, names)
        return FittedMap(source, target, origins, self.drop)


class FittedMap:
    """A `FieldMap` between two messages that it fits."""

    def __init__(
        self,
        source: Declaration,
        target: Declaration,
        origins: Mapping[str, Origin],
        drop: frozenset[str],
    ) -> None:
        self.source = source
        self.target = target
        self._origins = origins
        self._known = drop | {name for origin in origins.values() for name in read(origin)}

    def fields(self, payload: Any) -> dict[str, Any]:
        """The target's fields for a payload of the source, in the target's own types. Raises
        `AdaptationFailed`, which names the field."""
        given = self.source.take(payload)
        for name in given.keys() - self._known:
            raise AdaptationFailed(self.source.label, name, "is unknown to the mapping")
        made = {name: self._made(name, origin, given) for name, origin in self._origins.items()}
        return dict(self.target.checked(made))

    def apply(self, payload: Any) -> Any:
        """As `fields`, as a payload in plain form."""
        return self.target.give(self.fields(payload))

    def _made(self, name: str, origin: Origin, given: Mapping[str, Any]) -> Any:
        for needed in read(origin):
            if needed not in given:
                raise AdaptationFailed(self.source.label, needed, "is missing")
        match origin:
            case Constant(value=value):
                return value
            case Converted(function=function, of=of):
                try:
                    return function(*(given[field] for field in of))
                except Exception as error:
                    problem = f"could not be converted: {type(error).__name__}"
                    raise AdaptationFailed(self.target.label, name, problem) from error
            case _:
                return given[origin]


def read(origin: Origin) -> tuple[str, ...]:
    """The fields of the source that it needs."""
    match origin:
        case Constant():
            return ()
        case Converted(of=of):
            return of
        case _:
            return (origin,)


class _Check:
    """All that is wrong with a map between two messages."""

    def __init__(
        self,
        plan: FieldMap,
        source: Declaration,
        target: Declaration,
        origins: Mapping[str, Origin],
    ) -> None:
        self.problems: list[str] = []
        self.wrong: list[str] = []
        self._plan = plan
        self._source = source
        self._target = target
        self._origins = origins

    def run(self) -> None:
        self._unknown()
        self._unmapped()
        self._unused()
        self._unlike()

    def _say(self, field: str, problem: str) -> None:
        self.wrong.append(field)
        self.problems.append(problem)

    def _unknown(self) -> None:
        read_ = [name for origin in self._plan.fields.values() for name in read(origin)]
        for names, side in (
            (self._plan.fields, self._target),
            ([*read_, *sorted(self._plan.drop)], self._source),
        ):
            for name in dict.fromkeys(names):
                if side.fields is not None and name not in side.fields:
                    self._say(name, _no_field(side.label, name, side.fields))

    def _unmapped(self) -> None:
        for name in self._target.fields or ():
            if name not in self._origins:
                self._say(
                    name,
                    f"{self._target.label}.{name} comes from nowhere: say which field of "
                    f"{self._source.label} it is, convert it, or give it a default",
                )

    def _unused(self) -> None:
        used = {name for origin in self._origins.values() for name in read(origin)}
        for name in sorted(used & self._plan.drop):
            self._say(name, f"{self._source.label}.{name} is dropped and used")
        for name in self._source.fields or ():
            if name not in used | self._plan.drop:
                self._say(
                    name,
                    f"{self._source.label}.{name} goes nowhere: say which field of "
                    f"{self._target.label} it is, or drop it",
                )

    def _unlike(self) -> None:
        sources, targets = self._source.fields or {}, self._target.fields or {}
        for name, origin in self._origins.items():
            if not isinstance(origin, str) or origin not in sources or name not in targets:
                continue
            if not fits(sources[origin], targets[name], self._is_one_type):
                what = f"{self._source.label}.{origin} is of another type"
                self._say(name, f"{what} than {self._target.label}.{name}: convert it")

    def _is_one_type(self, name: str) -> bool:
        one, other = self._source.known, self._target.known
        return one.get(name) is other.get(name)


def _no_field(label: str, name: str, fields: Collection[str]) -> str:
    near = nearest(name, fields)
    meant = f"; is {near} meant?" if near else f"; it has {', '.join(fields) or 'none'}"
    return f"{label} has no field {name}{meant}"
