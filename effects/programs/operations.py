"""The operations of programs, as data. `str` of one is what errors call it.

A `Compute` stands where a value does, and is called with the results so far when its operation's
turn comes. It has to be pure: what is not always the same comes from `Call` and `Extend`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .program import Program
    from .results import Results

Compute: TypeAlias = "Callable[[Results], Any]"
Value: TypeAlias = "Callable[[Results], Any] | object"
"""A value, or a function that finds it; the union lets type checkers know what a lambda is given."""

Fields: TypeAlias = Mapping[str, Any]

ANYONE = "*"
"""Stands for whoever the label tells; as a receiver also for all of a broadcast."""


@dataclass(frozen=True, slots=True)
class Send:
    to: str
    label: str
    values: tuple[Any, ...] = ()
    fields: Fields = field(default_factory=dict[str, Any])

    def __str__(self) -> str:
        return f"send {self.to}!{self.label}"


@dataclass(frozen=True, slots=True)
class Receive:
    sender: str
    label: str

    def __str__(self) -> str:
        return f"recv {self.sender}?{self.label}"


@dataclass(frozen=True, slots=True)
class Choose:
    """`decide` is the label, or finds it. Without `arms` the program goes on in that branch."""

    decide: str | Compute
    arms: Mapping[str, Program] | None = None

    def __str__(self) -> str:
        return f"choose {_labels([self.decide] if self.arms is None else self.arms)}"


@dataclass(frozen=True, slots=True)
class Offer:
    arms: Mapping[str, Program]

    def __str__(self) -> str:
        return f"offer {_labels(self.arms)}"


@dataclass(frozen=True, slots=True)
class Branch:
    """`otherwise` is for values without an arm; without it they are an error. With `truth` it is
    whether the value holds that counts."""

    select: Compute
    arms: Mapping[Hashable, Program]
    otherwise: Program | None = None
    truth: bool = False

    def __str__(self) -> str:
        return f"branch {_labels(self.arms)}"


@dataclass(frozen=True, slots=True)
class Loop:
    """At most one of `count`, `going` and `until` is given; with none it is endless.

    A `count` that is a text is the number of that family's instances. An `until` that is a text
    ends the loop after the round in which that branch was taken, or that message sent or received.
    """

    body: Program
    count: int | str | Compute | None = None
    going: Compute | None = None
    until: str | Compute | None = None

    def __str__(self) -> str:
        if self.count is not None:
            return f"loop count={_shown(self.count)}"
        if self.going is not None:
            return f"loop while={_shown(self.going)}"
        return "loop" if self.until is None else f"loop until={_shown(self.until)}"


@dataclass(frozen=True, slots=True)
class Parallel:
    arms: tuple[Program, ...]

    def __str__(self) -> str:
        return f"parallel of {len(self.arms)}"


@dataclass(frozen=True, slots=True)
class Timeout:
    seconds: float
    body: Program

    def __str__(self) -> str:
        return f"timeout {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Extend:
    """An extension's effect: a value, or its type with what to make it of."""

    effect: object
    values: tuple[Any, ...] = ()
    fields: Fields = field(default_factory=dict[str, Any])

    @property
    def kind(self) -> type:
        return self.effect if isinstance(self.effect, type) else type(self.effect)

    def __str__(self) -> str:
        return f"ext {self.kind.__name__}"


@dataclass(frozen=True, slots=True)
class Call:
    function: Compute
    name: str

    def __str__(self) -> str:
        return f"call {self.name}"


@dataclass(frozen=True, slots=True)
class Set:
    fields: Fields

    def __str__(self) -> str:
        return f"set {', '.join(self.fields)}"


Operation = (
    Send | Receive | Choose | Offer | Branch | Loop | Parallel | Timeout | Extend | Call | Set
)


def _labels(labels: Any) -> str:
    return " | ".join(_shown(label) for label in labels)


def _shown(value: object) -> str:
    return f"by {getattr(value, '__name__', 'a function')}" if callable(value) else str(value)
