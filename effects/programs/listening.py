"""What a role may hear at a place of its machine, as an endpoint there would hear it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from ...language.machine import Machine
from ...language.monitor import Monitor, Whom
from ...language.table import Step
from .operations import ANYONE

T = TypeVar("T")

Decided = Mapping[tuple[str, int, str], frozenset[tuple[str, ...]]]
"""The branches that a message may decide, by its sender's role, its step and its label."""


class Heard(NamedTuple):
    """A message that may come; `step` is None for the name of a branch that begins without one.
    `branches` are those that it decides and that no arm has been taken for yet."""

    step: Step | None
    label: str
    branches: tuple[str, ...]

    def __str__(self) -> str:
        if self.step is None:
            return f"branch {self.label}"
        return f"{self.step} ({self.branches[-1]})" if self.branches else str(self.step)


def decided(machines: Iterable[Machine]) -> Decided:
    """What the messages of a protocol decide: only their senders' machines tell."""
    found: dict[tuple[str, int, str], set[tuple[str, ...]]] = {}
    for machine in machines:
        for action in (t.action for t in machine.transitions if t.action.sends):
            if not action.selection:
                key = (machine.role, action.step, action.label)
                found.setdefault(key, set()).add(action.branches)
    return {key: frozenset(branches) for key, branches in found.items()}


def fits(message: Heard, label: str, sender: str, monitor: Monitor) -> bool:
    """Whether `recv(sender, label)` receives it."""
    step = message.step
    if step is None or step.label != label:
        return False
    role, bracket, index = sender.partition("[")
    if sender == ANYONE or not bracket:
        return role in (ANYONE, step.peer_role)
    return Whom(role, int(index.rstrip("]"))).fits(step, monitor.own)


def listen(
    monitor: Monitor, trail: T | None, extend: Callable[[str, T | None], T]
) -> Iterator[tuple[Monitor, T | None]]:
    """Where the role may stand when it sends: told of the branch, where it waits to be told."""
    if monitor.state.sends or not monitor.state.selects:
        yield monitor, trail
        return
    for step in monitor.receives():
        if step.selection:
            yield from listen(_after(monitor, step), extend(str(step), trail), extend)
        else:
            yield monitor, trail


def end(monitor: Monitor) -> Iterator[Monitor]:
    """Where it may stand at its end."""
    if monitor.is_final or monitor.state.sends or not monitor.state.selects:
        yield monitor
        return
    for step in monitor.receives():
        if step.selection:
            yield from end(_after(monitor, step))
        else:
            yield monitor


def receive(
    monitor: Monitor, label: str, whom: Whom | None, passed: frozenset[object] = frozenset()
) -> Iterator[tuple[Monitor, Heard]]:
    """What may come where the role waits for `label` from `whom`, whether it is that or not."""
    steps = monitor.receives()
    wanted = [
        step
        for step in steps
        if step.selection
        or (step.label == label and (whom is None or whom.fits(step, monitor.own)))
    ]
    if not wanted:
        raise monitor.refuse(f"?{label}", whom)
    for step in steps:
        if step not in wanted and _interferes(monitor, step, wanted):
            yield _after(monitor, step), Heard(step, step.label, step.branches)
    for step in wanted:
        after = _after(monitor, step)
        if not step.selection:
            yield after, Heard(step, step.label, step.branches)
        elif after.place not in passed:
            yield from receive(after, label, whom, passed | {after.place})


def hear(
    monitor: Monitor,
    decisions: Decided,
    branches: tuple[str, ...] = (),
    passed: frozenset[object] = frozenset(),
) -> Iterator[tuple[Monitor, Heard]]:
    """All that may come. Raises `ProtocolViolation` where nothing does."""
    steps = monitor.receives()
    if not steps:
        raise monitor.refuse("?any message")
    for step in steps:
        after = _after(monitor, step)
        if step.selection:
            following = (*branches, *step.branches)
            if not after.state.receives:
                yield after, Heard(None, step.branches[0], following)
            elif after.place not in passed:
                yield from hear(after, decisions, following, passed | {after.place})
            continue
        for deciding in decisions.get((step.peer_role, step.action.step, step.label), _NOTHING):
            yield after, Heard(step, step.label, (*branches, *deciding))


_NOTHING: frozenset[tuple[str, ...]] = frozenset({()})


def _after(monitor: Monitor, step: Step) -> Monitor:
    after = monitor.copy()
    after.advance(step)
    return after


def _interferes(monitor: Monitor, step: Step, wanted: list[Step]) -> bool:
    """Whether `step` may come in place of what is wanted, and not only beside it."""
    for other in wanted:
        if _same_lane(step, other):
            return True
        after = _after(monitor, other)
        if not any(str(later) == str(step) for later in after.receives()):
            return True
    return False


def _same_lane(step: Step, other: Step) -> bool:
    if step.peer_role != other.peer_role or step.relative != other.relative:
        return False
    return step.start < other.stop and other.start < step.stop
