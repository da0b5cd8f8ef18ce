"""Where one role instance stands in its machine, and which steps it may take there.

Pure: it decides and moves, and whoever holds it does the sending and receiving. A step is a
look-up by label and then `advance`; between the two the holder checks the payload, the guards
and the effects, so that a refused step changes nothing.

Selections are the messages that the compiler added so that a role learns which branch was
taken. The user never names them: `route` finds those that lead to what the user sends.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass

from .errors import ProtocolViolation
from .spelling import nearest
from .table import State, Step, Table

LOOKAHEAD = 64
"""How many selections in a row `route` follows before it gives up."""


@dataclass(frozen=True, slots=True)
class Whom:
    """The receiver that the user named: a role, or one instance of it."""

    role: str
    index: int | None = None

    def fits(self, step: Step, own: int) -> bool:
        if step.peer_role != self.role:
            return False
        if self.index is None:
            return True
        return not step.collective and step.meets(self.role, self.index, own)

    def __str__(self) -> str:
        return self.role if self.index is None else f"{self.role}[{self.index}]"


class Monitor:
    """One instance's position. `index` is None for a plain role."""

    __slots__ = ("_registers", "index", "name", "own", "role", "state", "table")

    def __init__(self, table: Table, index: int | None = None) -> None:
        self.table = table
        self.role = table.machine.role
        self.index = index
        self.own = index or 0
        self.name = self.role if index is None else f"{self.role}[{index}]"
        self._registers: dict[int, int] = {}
        self.state: State
        self.enter(table.initial)

    def copy(self) -> Monitor:
        """Another one that stands where this one stands."""
        other = copy(self)
        other._registers = dict(self._registers)
        return other

    @property
    def place(self) -> tuple[object, ...]:
        """Equal where two monitors of one instance stand at the same place."""
        return (self.state.number, *sorted(self._registers.items()))

    def advance(self, step: Step) -> None:
        """Take `step`, which must leave the present state."""
        self.enter(step.target)

    def enter(self, state: State) -> None:
        """Stand at `state`, where a step has just led, or where its counters lead on to."""
        counter = state.counter
        while counter is not None:
            registers, loop = self._registers, counter.loop
            if counter.enters:
                assert isinstance(counter.count, int), "project the protocol with bindings"
                registers[loop] = counter.count
            left = registers[loop]
            if left > 0:
                registers[loop] = left - 1
                state = state.body
            else:
                state = state.leave
            counter = state.counter
        self.state = state

    def _settle(self, state: State, registers: dict[int, int]) -> State:
        """Where one would stand that counts in `registers` and enters `state`."""
        scout = copy(self)
        scout._registers = registers
        scout.enter(state)
        return scout.state

    # --- what is allowed ---------------------------------------------------------------

    @property
    def is_final(self) -> bool:
        return self.state.final

    def expected(self) -> tuple[str, ...]:
        """The steps allowed now, as text."""
        return tuple(str(step) for step in self.state.steps())

    def sending(self, label: str) -> Step | None:
        """The step that sends `label`, where there is exactly one and it needs no selection."""
        steps = self.state.sends.get(label)
        if steps is None or len(steps) != 1:
            return None
        return self._placed(steps[0], self._registers) if steps[0].register else steps[0]

    def sends(self) -> list[Step]:
        """The sends possible now."""
        return self._all(self.state.sends)

    def receives(self) -> list[Step]:
        """The receives possible now."""
        return self._all(self.state.receives)

    def _all(self, side: dict[str, tuple[Step, ...]]) -> list[Step]:
        return [self._placed(step, self._registers) for steps in side.values() for step in steps]

    def receiving(self, role: str, index: int, label: str) -> Step | None:
        """The step that receives `label` from `role[index]` now."""
        for step in self.state.receives.get(label, ()):
            placed = self._placed(step, self._registers) if step.register else step
            if placed.meets(role, index, self.own):
                return placed
        return None

    def _placed(self, step: Step, registers: dict[int, int]) -> Step:
        """The step of the round that its loop has reached."""
        if not step.register:
            return step
        return step.at(self.table.rounds[step.register] - registers[step.register] - 1)

    # --- branches ----------------------------------------------------------------------

    def route(self, label: str, whom: Whom | None = None, branch: str = "") -> tuple[Step, ...]:
        """The selections to send and then the step that sends `label`; the shortest such way.

        `branch` keeps to the steps of that branch. Raises `ProtocolViolation` when no way
        leads there, or when several do.
        """
        waiting: deque[tuple[State, dict[int, int], tuple[Step, ...]]] = deque()
        waiting.append((self.state, self._registers, ()))
        found: list[tuple[Step, ...]] = []
        while waiting:
            state, registers, passed = waiting.popleft()
            if len(passed) > LOOKAHEAD or (found and len(passed) >= len(found[0])):
                break
            wanted = branch if not passed else ""
            fitting = self._fitting(state, registers, label, whom, wanted)
            found.extend((*passed, step) for step in fitting)
            for selection in _selections(state, wanted):
                step = self._placed(selection, registers)
                copied = dict(registers)
                waiting.append((self._settle(step.target, copied), copied, (*passed, step)))
        if len(found) == 1:
            return found[0]
        raise self._ambiguous(label, found) if found else self.refuse(f"!{label}", whom, branch)

    def _fitting(
        self, state: State, registers: dict[int, int], label: str, whom: Whom | None, branch: str
    ) -> list[Step]:
        steps = (self._placed(step, registers) for step in state.sends.get(label, ()))
        return [
            step
            for step in steps
            if (whom is None or whom.fits(step, self.own))
            and (not branch or branch in step.branches)
        ]

    def chosen(self, branch: str) -> tuple[Step, ...]:
        """The selections that announce `branch`, in order; none where its messages tell.

        Raises `ProtocolViolation` when no step of the present state decides for `branch`.
        """
        options = [s for ss in self.state.sends.values() for s in ss if branch in s.branches]
        if not options:
            raise self.refuse(f"choose({branch})")
        announcements: list[Step] = []
        state, registers = self.state, dict(self._registers)
        following = [s for s in options if s.selection]
        while len(following) == 1 and len(announcements) < LOOKAHEAD:
            step = self._placed(following[0], registers)
            announcements.append(step)
            state = self._settle(step.target, registers)
            only = list(state.steps())
            following = only if _continues(only, step) else []
        return tuple(announcements)

    # --- refusals ----------------------------------------------------------------------

    def refuse(self, got: str, whom: Whom | None = None, branch: str = "") -> ProtocolViolation:
        """The error for a step of the role's own code that is not allowed now, or not in the
        `branch` that it has chosen."""
        if whom is not None:
            got = f"{whom}{got}"
        if branch:
            expected = tuple(str(step) for step in self.sends() if branch in step.branches)
        else:
            expected = self.expected()
        allowed = ", ".join(expected) or "nothing: its part is over"
        near = nearest(got.rpartition("!")[2].rpartition("?")[2], self._labels())
        where = f"state {self.state.number}" + (f" in branch {branch}" if branch else "")
        return ProtocolViolation(
            f"{self.name} cannot do {got} in {where}; allowed there: {allowed}",
            role=self.name,
            state=self.state.number,
            expected=expected,
            got=got,
            hint=f"did you mean {near}?" if near else self.undecided or _FOLLOW,
        )

    @property
    def undecided(self) -> str:
        """What to write where a branch is told by no message of the role's own; else empty."""
        branches = sorted({b for step in self.sends() if step.selection for b in step.branches})
        calls = " or ".join(f'`await me.choose("{branch}")`' for branch in branches)
        return f"to decide for a branch without a message, write {calls}" if calls else ""

    def _labels(self) -> set[str]:
        return {step.label for step in self.state.steps()}

    def _ambiguous(self, label: str, found: list[tuple[Step, ...]]) -> ProtocolViolation:
        ways = ", ".join(str(steps[-1]) for steps in found)
        return ProtocolViolation(
            f"{self.name} can send {label} in more than one way: {ways}",
            role=self.name,
            state=self.state.number,
            expected=self.expected(),
            got=f"!{label}",
            hint='name the receiver, `send(..., to="Role")`, or the branch, `choose("branch")`',
        )


_FOLLOW = "follow the role's local protocol (`pavane project` prints it)"


def _selections(state: State, branch: str) -> list[Step]:
    """The selections that can be sent at `state`, of `branch` if one is given."""
    if not state.selects:
        return []
    return [
        step
        for steps in state.sends.values()
        for step in steps
        if step.selection and (not branch or branch in step.branches)
    ]


def _continues(only: list[Step], step: Step) -> bool:
    """Whether `only` is one more announcement of the branch that `step` announces."""
    if len(only) != 1:
        return False
    return only[0].sends and only[0].selection and only[0].label == step.label
