"""A machine laid out for stepping: each state knows its steps by label and by sender.

Built once per machine and shared by every instance of the class; a monitor only holds
where it stands. Bounds and counts must be integers, that is: project with bindings first.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from .machine import Action, Counter, Machine, Transition


class Step:
    """A transition between `State`s, with what stepping needs read out of its action."""

    __slots__ = (
        "action",
        "branches",
        "collective",
        "label",
        "number",
        "peer_role",
        "register",
        "relative",
        "selection",
        "sends",
        "source",
        "start",
        "stop",
        "target",
    )

    def __init__(self, number: int, transition: Transition, source: State, target: State) -> None:
        action: Action = transition.action
        peer = action.peer
        self.number = number
        self.action = action
        self.source = source
        self.target = target
        self.sends = action.sends
        self.label = action.label
        self.selection = action.selection
        self.branches = (action.label.removeprefix("@"),) if action.selection else action.branches
        self.peer_role = peer.role
        self.start = _bound(peer.start or 0, str(peer))
        self.stop = self.start + 1 if peer.stop is None else _bound(peer.stop, str(peer))
        self.collective = peer.is_collective
        self.relative = peer.relative
        self.register = peer.register

    def through(self, first: int, count: int) -> None:
        """Widen the partners to those of all rounds of the `foreach` that the step is in."""
        self.start, self.stop = self.start + first, self.start + first + count

    def at(self, turn: int) -> Step:
        """The step in round `turn`, counted from 0, of the `foreach` that it is in."""
        placed = copy(self)
        placed.start, placed.stop = self.start + turn, self.start + turn + 1
        placed.register = 0
        return placed

    def partners(self, own_role: str, own_index: int) -> range | list[int]:
        """The indices on the other side, seen from instance `own_index` of `own_role`.

        A collective that names the own family leaves the own instance out.
        """
        if self.relative:
            return range(own_index + self.start, own_index + self.start + 1)
        everyone = range(self.start, self.stop)
        if self.collective and self.peer_role == own_role and own_index in everyone:
            return [i for i in everyone if i != own_index]
        return everyone

    def meets(self, role: str, index: int, own_index: int) -> bool:
        """Whether `role[index]` is a partner of this step."""
        if role != self.peer_role:
            return False
        if self.relative:
            return index == own_index + self.start
        return self.start <= index < self.stop

    def __str__(self) -> str:
        return str(self.action)


class State:
    """One state: its steps, or the counter that is passed here without a message, which leads on to
    `body` or `leave`."""

    __slots__ = ("body", "counter", "final", "leave", "number", "receives", "selects", "sends")

    def __init__(self, number: int, *, final: bool, counter: Counter | None) -> None:
        self.number = number
        self.final = final
        self.counter = counter
        self.body = self.leave = self
        self.sends: dict[str, tuple[Step, ...]] = {}
        self.receives: dict[str, tuple[Step, ...]] = {}
        self.selects = False
        """Whether a selection can be sent or received here."""

    def add(self, step: Step) -> None:
        side = self.sends if step.sends else self.receives
        side[step.label] = (*side.get(step.label, ()), step)
        self.selects = self.selects or step.selection

    def steps(self) -> Iterator[Step]:
        for side in (self.sends, self.receives):
            for steps in side.values():
                yield from steps


class Table:
    """All states and steps of one machine."""

    __slots__ = ("heard", "initial", "machine", "rounds", "states", "steps")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.states = tuple(
            State(number, final=number in machine.finals, counter=machine.counters.get(number))
            for number in machine.states
        )
        for number, counter in machine.counters.items():
            passed = self.states[number]
            passed.body, passed.leave = self.states[counter.body], self.states[counter.exit]
        self.initial = self.states[machine.initial]
        steps: list[Step] = []
        for transition in machine.transitions:
            source, target = self.states[transition.source], self.states[transition.target]
            step = Step(len(steps), transition, source, target)
            source.add(step)
            steps.append(step)
        self.steps = tuple(steps)
        self.rounds = {c.loop: _bound(c.count, "a loop") for c in machine.counters.values()}
        """How many rounds every loop has."""
        for counter in {c.loop: c for c in machine.counters.values()}.values():
            for step in steps:
                if step.register == counter.loop:
                    step.through(_bound(counter.first, "foreach"), self.rounds[counter.loop])
        self.heard = frozenset((s.peer_role, s.label) for s in steps if not s.sends)
        """Every (sender role, label) that this machine receives anywhere."""


def _bound(value: int | str, where: str) -> int:
    assert isinstance(value, int), f"{where} is not bound: project the protocol with bindings"
    return value
