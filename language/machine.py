"""Local machines: one role's side of a protocol as a transition table.

The endpoint monitor, the stand-ins, the diagrams and the exploration all read this table.
A family has one machine per class of instances (those that take part in the same steps),
and a collective step such as `Followers[*]?Vote` is a single transition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from .timing import Timing
from .tree import Annotation, Expr, Message

INDEX_LIMIT = 10_000
"""The most instances a family can have; so the highest index is one less."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a step: a role, one instance, or the instances `start..stop`.

    A plain role has `start` None. One instance has `stop` None. Bounds are integers once
    they are bound and names (`N`, `threshold`) before. `every` marks a collective written
    `W[*]`. `relative` marks `start` as an offset to the instance's own index, and `register`
    names the loop whose index it is an offset to, for a role that goes through a `foreach`;
    `variable` is what that index is called in the protocol.
    """

    role: str
    start: int | str | None = None
    stop: int | str | None = None
    every: bool = False
    relative: bool = False
    register: int = 0
    variable: str = field(default="", compare=False)

    @property
    def is_collective(self) -> bool:
        return self.stop is not None

    @property
    def is_empty(self) -> bool:
        """Whether it means nobody, as a range does whose bounds are bound alike."""
        if self.stop is None:
            return False
        if isinstance(self.start, int) and isinstance(self.stop, int):
            return self.start >= self.stop
        return self.start == self.stop

    def __str__(self) -> str:
        if self.every:
            return f"{self.role}[*]"
        if self.relative or self.register:
            offset = f"{self.start:+d}" if self.start else ""
            return f"{self.role}[{self.variable}{offset}]"
        if self.stop is not None:
            return f"{self.role}[{self.start}..{self.stop}]"
        return self.role if self.start is None else f"{self.role}[{self.start}]"


class Action(msgspec.Struct, frozen=True, gc=False):
    """One step of a role: send `message` to `peer`, or receive it from there.

    A message that the compiler added so that `peer` learns the branch has `selection` set, the
    label `@branch` and `branches == ("branch",)`. `step` is the 1-based number of the statement in the protocol's source order, equal on
    both sides. `branches` are the labels of the choices that this step decides, outermost
    first; `guards` what must hold at the chooser for it to be taken. `annotations` are
    those of the sender and the statement; a receive carries its sender's, so that the
    receiver can check them again. `broadcast` marks one of the consecutive sends of `A ->* : M`,
    which all have the same `step`. `timing` is None where no time is bounded, nor could be
    through this step.
    """

    sends: bool
    peer: Peer
    message: Message
    step: int = 0
    branches: tuple[str, ...] = ()
    guards: tuple[Expr, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    receiver_annotations: tuple[Annotation, ...] = ()
    selection: bool = False
    broadcast: bool = False
    timing: Timing | None = None

    @property
    def label(self) -> str:
        return self.message.label

    def __str__(self) -> str:
        return f"{self.peer}{'!' if self.sends else '?'}{self.label}"


class Transition(msgspec.Struct, frozen=True, gc=False):
    source: int
    action: Action
    target: int


@dataclass(frozen=True, slots=True)
class Counter:
    """A state that is passed without a message: `count` times to `body`, then to `exit`.

    `loop` names the register. A state with `enters` sets the register to `count` first; then,
    as every state of the loop, it goes to `body` and takes one off while the register is above
    0, and to `exit` when it is 0. So a loop has two states: one that enters it and one that the
    body comes back to; inside `parallel` several states can share one register. In a `foreach`
    the rounds have the indices `first`, `first + 1`, ...
    """

    loop: int
    enters: bool
    count: int | str
    body: int
    exit: int
    first: int | str = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of the instances `start..stop` of `role` (both None for a plain role).

    States are 0..n-1. `counters` maps the states passed without a message; every other
    state's transitions are all sends or all receives from one sender, except inside
    `parallel`, whose branches are interleaved.
    """

    role: str
    initial: int
    finals: frozenset[int]
    transitions: tuple[Transition, ...]
    start: int | str | None = None
    stop: int | str | None = None
    counters: dict[int, Counter] = field(default_factory=dict[int, Counter])

    @property
    def name(self) -> str:
        """`Leader`, `Followers[0..N]`, `Worker[2]`."""
        if self.start is None:
            return self.role
        if isinstance(self.start, int) and self.stop == self.start + 1:
            return f"{self.role}[{self.start}]"
        return f"{self.role}[{self.start}..{self.stop}]"

    @property
    def states(self) -> range:
        highest = max(
            [self.initial, *self.finals]
            + [s for t in self.transitions for s in (t.source, t.target)]
            + [s for c, k in self.counters.items() for s in (c, k.body, k.exit)]
        )
        return range(highest + 1)

    def leaving(self, state: int) -> Iterator[Transition]:
        """The transitions that leave `state`."""
        return (t for t in self.transitions if t.source == state)
