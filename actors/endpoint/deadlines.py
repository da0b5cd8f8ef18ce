"""The times that the protocol sets for one role instance: what it may still do, and by when.

Exists only for an instance whose machine measures time; what it decides it asks of
`language.clocks`, and the time of the session's `Clock`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

from ...language.clocks import Clocks, Deadline, Times, timing
from ...language.monitor import Monitor
from ...language.table import Step
from ..errors import StepTimedOut, TooEarly, TooLate
from ..mailbox.mailbox import Mailbox
from .clock import Clock, Timer

SLACK = 0.001
"""Seconds by which a timer may ring before its time, as those of event loops do."""


class Deadlines:
    """Owned by a seat. From `begin` to `end`, `timed_out` is called once if a deadline passes."""

    __slots__ = (
        "_clock",
        "_clocks",
        "_ending",
        "_mailbox",
        "_met",
        "_monitor",
        "_pinned",
        "_rings",
        "_role",
        "_session",
        "_timed_out",
        "_timer",
        "_times",
    )

    def __init__(
        self,
        session: str,
        role: str,
        monitor: Monitor,
        mailbox: Mailbox,
        clock: Clock,
        timed_out: Callable[[StepTimedOut], None],
        times: Times,
    ) -> None:
        self._session = session
        self._role = role
        self._monitor = monitor
        self._mailbox = mailbox
        self._clock = clock
        self._timed_out = timed_out
        self._times = times
        self._clocks = Clocks(times, monitor.state, clock.monotonic())
        self._pinned: float | None = None
        self._met = set[int]()
        self._timer: Timer | None = None
        self._rings = 0.0
        self._ending = False

    def begin(self) -> None:
        """The session has opened: the times of the first steps run from now on."""
        state = self._monitor.state
        entered = self._entered(measured=bool(self._times.clocks[state.number]))
        self._clocks = Clocks(self._times, state, entered)
        self._watch()

    def advance(self, step: Step) -> None:
        """The instance took `step`; its monitor has moved on."""
        self._pinned = None
        self._met.clear()
        after, clocks = self._monitor.state, self._times.clocks
        measured = bool(clocks[step.source.number] or clocks[after.number])
        self._clocks.advance(step, after, self._entered(measured=measured))
        if self._clocks.is_urgent:
            self._watch()

    def _entered(self, *, measured: bool) -> float:
        """The moment at which the state was entered; `measured` says whether it matters."""
        return self._clock.monotonic()

    def end(self) -> None:
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what has to be done in time -----------------------------------------------------

    def _next(self) -> Deadline | None:
        """The first deadline that is not met by a message that waits to be read."""
        open_ = (d for d in self._clocks.deadlines() if d.step.number not in self._met)
        return min(open_, key=lambda deadline: deadline.when, default=None)

    def _watch(self) -> None:
        """See to it that the timer rings at the next deadline, or before: it then looks again."""
        following = None if self._ending else self._next()
        if following is None or (self._timer is not None and self._rings <= following.when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings = following.when
        self._timer = self._clock.call_at(following.when, self._passed)

    def _passed(self) -> None:
        self._timer = None
        missed = self._next()
        if self._ending or missed is None:
            return
        if missed.when > self._clock.monotonic() + SLACK:
            self._watch()
        elif not missed.bound.block and self._has_come(missed.step):
            self._met.add(missed.step.number)
            self._watch()
        else:
            self._timed_out(
                StepTimedOut(
                    self._session,
                    self._role,
                    str(missed.step),
                    missed.bound.seconds,
                    block=missed.bound.block,
                )
            )

    def _has_come(self, step: Step) -> bool:
        """Whether what a receive waits for is there; that the role is slow to read it is not
        what a message is timed for."""
        if step.sends:
            return False
        monitor = self._monitor
        placed = next((s for s in monitor.receives() if s.number == step.number), step)
        inlets = [
            self._mailbox.inlet(step.peer_role, index)
            for index in placed.partners(monitor.role, monitor.own)
        ]
        return all(inlet is not None and inlet.queue for inlet in inlets)

    # --- which branch may be taken -------------------------------------------------------

    async def judge(self, step: Step) -> None:
        """Raise `TooLate` or `TooEarly` for a branch that may not be begun at this moment."""
        self.check(step)

    async def hear(self) -> None:
        """Return when what has come may be taken."""

    def check(self, step: Step) -> None:
        """Raise `TooLate` or `TooEarly` for a branch that may not be taken at this moment."""
        now = self._clock.monotonic()
        bound = self._clocks.closed(step, now if self._pinned is None else self._pinned)
        if bound is not None:
            raise TooLate(self._role, self._monitor.state.number, str(step), bound.seconds)
        wait = self._clocks.early(step, now)
        if wait > SLACK:
            seconds = timing(step).late
            raise TooEarly(self._role, self._monitor.state.number, str(step), seconds, wait)

    def is_open(self, step: Step) -> bool:
        """Whether no timeout keeps `step` from being taken now."""
        now = self._clock.monotonic()
        return self._clocks.closed(step, now) is None and self._clocks.early(step, now) <= SLACK

    def pin(self) -> None:
        """What is decided next has been decided now."""
        self._pinned = self._clock.monotonic()

    def unpin(self) -> None:
        self._pinned = None

    def decision(self) -> float | None:
        """When the branches that are open now are closed by a timeout, if they are."""
        return self._clocks.decision(self._clock.monotonic())

    def left(self) -> float | None:
        """Seconds until the role's next deadline or decision; None where there is none."""
        now = self._clock.monotonic()
        following = self._next()
        whens = [] if following is None else [following.when]
        decision = self._clocks.decision(now)
        whens += [] if decision is None else [decision]
        return max(min(whens) - now, 0.0) if whens else None

    def limit(self) -> TimeLimit:
        return TimeLimit(self, self._clock)


class TimeLimit:
    """What `me.deadline()` gives: its block is cancelled when the present choice runs out of
    time. `passed` then says so; if it does not, the branch taken next counts as taken in time.

    Where no timeout branch waits it does nothing.
    """

    __slots__ = ("_clock", "_deadlines", "_scope", "_timer", "_when", "passed")

    def __init__(self, deadlines: Deadlines | None, clock: Clock | None) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._scope = anyio.CancelScope()
        self._timer: Timer | None = None
        self._when: float | None = None
        self.passed = False

    async def __aenter__(self) -> Self:
        if self._deadlines is not None:
            self._deadlines.unpin()
            self._when = self._deadlines.decision()
        self._scope.__enter__()
        if self._when is not None:
            assert self._clock is not None
            self._timer = self._clock.call_at(self._when, self._scope.cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        caught = self._scope.__exit__(kind, error, trace)
        if self._when is not None:
            assert self._clock is not None and self._deadlines is not None
            self.passed = self._clock.monotonic() >= self._when or self._scope.cancel_called
            if not self.passed:
                self._deadlines.pin()
        return bool(caught)
