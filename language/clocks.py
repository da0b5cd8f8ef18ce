"""How long a role instance has been where it stands, and what that allows. Pure: whoever holds
it says what time it is, on any scale that never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .table import State, Step, Table
from .timing import UNTIMED, Bound, Timing, concurrent

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until `when` `step` has to be taken, because of `bound`."""

    when: float
    step: Step
    bound: Bound


@dataclass(frozen=True, slots=True)
class Urgency:
    """What the deadline of `step` is worked out of: the bounds of the step and of its alternatives.

    A step that has alternatives is as urgent as the least urgent of them: nobody knows
    which of them it will be.
    """

    step: Step
    alternatives: tuple[tuple[Bound, ...], ...]


class Times:
    """What is known beforehand of the times of one machine: once for all its instances.

    `clocks` are those by which the steps of a state are measured, `urgent` the steps of a state
    that have a deadline, both by the state's number; `restarts` the clocks that begin anew with a
    step, by the step's.
    """

    def __init__(self, table: Table) -> None:
        self.clocks = tuple(_clocks(state) for state in table.states)
        self.urgent = tuple(tuple(_urgent(state)) for state in table.states)
        self.restarts = tuple(_restarts(step) for step in table.steps)

    def __bool__(self) -> bool:
        """Whether there is any time to be measured."""
        return any(self.clocks)


def _clocks(state: State) -> tuple[int, ...]:
    return tuple(sorted({clock for step in state.steps() for clock in timing(step).clocks}))


def _urgent(state: State) -> Iterator[Urgency]:
    """Where the role may end, nothing is urgent."""
    steps = [] if state.final else list(state.steps())
    for step in steps:
        lane = timing(step).lane
        rivals = (o for o in steps if o is step or not concurrent(timing(o).lane, lane))
        bounds = tuple(timing(rival).bounds for rival in rivals)
        if all(bounds):
            yield Urgency(step, bounds)


def _restarts(step: Step) -> frozenset[int]:
    """A branch of `parallel` that goes on meanwhile keeps its time."""
    taken = timing(step)
    elsewhere = (timing(other) for other in step.source.steps())
    kept = {c for t in elsewhere if concurrent(t.lane, taken.lane) for c in t.clocks}
    return frozenset(taken.starts) - kept


class Clocks:
    """The running clocks of one instance: those by which a step of its state is measured."""

    __slots__ = ("_started", "_state", "_times")

    def __init__(self, times: Times, state: State, now: float) -> None:
        self._times = times
        self._state = state
        self._started = dict.fromkeys(times.clocks[state.number], now)

    def advance(self, step: Step, after: State, now: float) -> None:
        """The instance took `step`, and stands in `after`."""
        self._state = after
        known, restarts = self._started, self._times.restarts[step.number]
        self._started = {
            clock: now if clock in restarts else known.get(clock, now)
            for clock in self._times.clocks[after.number]
        }

    def when(self, bound: Bound) -> float:
        return self._started[bound.clock] + bound.seconds

    # --- what has to be done in time -----------------------------------------------------

    @property
    def is_urgent(self) -> bool:
        """Whether there is any deadline here."""
        return bool(self._times.urgent[self._state.number])

    def deadlines(self) -> Iterator[Deadline]:
        """The moments by which something has to have happened, in no order."""
        for urgency in self._times.urgent[self._state.number]:
            latest = max((self._first(bounds) for bounds in urgency.alternatives), key=self.when)
            yield Deadline(self.when(latest), urgency.step, latest)

    def _first(self, bounds: tuple[Bound, ...]) -> Bound:
        return bounds[0] if len(bounds) == 1 else min(bounds, key=self.when)

    # --- which branch may be taken -------------------------------------------------------

    def closed(self, step: Step, now: float) -> Bound | None:
        """The timeout that has passed, because of which `step` may not be taken any more."""
        return next((b for b in timing(step).closes if now >= self.when(b)), None)

    def early(self, step: Step, now: float) -> float:
        """The seconds after which `step` may be taken; 0 if it may be now."""
        return max((self.when(b) - now for b in timing(step).opens), default=0.0)

    def decision(self, now: float) -> float | None:
        """When the next of the branches that are open now closes; the present where all that
        had a time are closed, None where no branch has one."""
        limited = [s for steps in self._state.sends.values() for s in steps if timing(s).closes]
        if not limited:
            return None
        whens = [
            min(self.when(b) for b in timing(step).closes)
            for step in limited
            if self.closed(step, now) is None and self.early(step, now) <= 0
        ]
        return min(whens, default=now)


def timing(step: Step) -> Timing:
    return step.action.timing or UNTIMED
