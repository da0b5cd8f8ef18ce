"""How long a role instance has been where it stands, and what that allows. Pure: whoever holds
it says what time it is, on any scale that never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .table import State, Step
from .timing import UNTIMED, Bound, Timing, concurrent

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until `when` `step` has to be taken, because of `bound`."""

    when: float
    step: Step
    bound: Bound


class Clocks:
    """The running clocks of one instance: those by which a step of its state is measured."""

    __slots__ = ("_started", "_state")

    def __init__(self, state: State, now: float) -> None:
        self._started: dict[int, float] = {}
        self._state = state
        self._run(now)

    def advance(self, step: Step, after: State, now: float) -> None:
        """The instance took `step`, and stands in `after`."""
        before, self._state = self._state, after
        taken = timing(step)
        for clock in taken.starts:
            # A branch of `parallel` that goes on meanwhile keeps its time.
            elsewhere = (timing(other) for other in before.steps())
            if not any(clock in t.clocks and concurrent(t.lane, taken.lane) for t in elsewhere):
                self._started.pop(clock, None)
        self._run(now)

    def _run(self, now: float) -> None:
        """Go on with the clocks that are needed, and start those that do not run yet."""
        needed = {clock for step in self._state.steps() for clock in timing(step).clocks}
        self._started = {clock: self._started.get(clock, now) for clock in sorted(needed)}

    def when(self, bound: Bound) -> float:
        return self._started[bound.clock] + bound.seconds

    # --- what has to be done in time -----------------------------------------------------

    def deadlines(self) -> Iterator[Deadline]:
        """The moments by which something has to have happened, in no order.

        A step that has alternatives is as urgent as the least urgent of them: nobody knows
        which of them it will be. Where the role may end, nothing is urgent.
        """
        if self._state.final:
            return
        steps = list(self._state.steps())
        for step in steps:
            lane = timing(step).lane
            rivals = (o for o in steps if o is step or not concurrent(timing(o).lane, lane))
            latest = max((self._urgent(rival) for rival in rivals), key=lambda d: d[0])
            if latest[1] is not None:
                yield Deadline(latest[0], step, latest[1])

    def _urgent(self, step: Step) -> tuple[float, Bound | None]:
        bounds = timing(step).bounds
        if not bounds:
            return NEVER, None
        return min(((self.when(b), b) for b in bounds), key=lambda pair: pair[0])

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
