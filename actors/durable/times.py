"""The times of a durable instance: measured from recorded moments, by the clock on the wall, and
what they have decided is decided for whoever plays it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ...language.clocks import timing
from ...language.table import Step
from ..endpoint.clock import Clock, Timer
from ..endpoint.deadlines import SLACK, Deadlines, TimeLimit
from ..endpoint.seat import Seat
from ..errors import StepTimedOut, TooEarly, TooLate
from .calls import Recorder
from .recall import Recall
from .records import Judged, Left, Limited, Timed

PAUSE = 0.02
"""Seconds until a deadline is looked at again that passed while its instance was caught up with."""


class WallClock:
    """A clock whose scale for deadlines is that of `now`, so that another process can go on with
    it. Where `now` is set back, it stands still until it has caught up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = float("-inf")

    def now(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        self._latest = max(self._latest, self._clock.now())
        return self._latest

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return _Wait(self, self._clock, when, callback)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class _Wait:
    """A call at a time of the wall; should that be set meanwhile, it waits on."""

    LONGEST = 60.0

    def __init__(
        self, wall: WallClock, clock: Clock, when: float, callback: Callable[[], None]
    ) -> None:
        self._wall = wall
        self._clock = clock
        self._when = when
        self._callback = callback
        self._timer = self._wait()

    def _wait(self) -> Timer:
        left = min(self._when - self._wall.monotonic(), self.LONGEST)
        return self._clock.call_at(self._clock.monotonic() + left, self._ring)

    def _ring(self) -> None:
        if self._wall.monotonic() < self._when - SLACK:
            self._timer = self._wait()
        else:
            self._callback()

    def cancel(self) -> None:
        self._timer.cancel()


class RecordedDeadlines(Deadlines):
    """Those of `seat`. `is_caught_up` says whether all that it said before has been said again."""

    def __init__(
        self,
        seat: Seat,
        clock: Clock,
        timed_out: Callable[[StepTimedOut], None],
        recall: Recall,
        recorder: Recorder,
        is_caught_up: Callable[[], bool],
    ) -> None:
        wall = WallClock(clock)
        super().__init__(
            seat.session.id, seat.name, seat.monitor, seat.mailbox, wall, timed_out, seat.part.times
        )
        self._index = seat.index
        self._recall = recall
        self._recorder = recorder
        self._is_caught_up = is_caught_up
        self._moment: float | None = None
        self._unstored: list[asyncio.Future[None]] = []
        self._move = -1
        self._inside = set[int]()

    # --- the moments from which it is measured ---------------------------------------------

    def _entered(self, *, measured: bool) -> float:
        self._move += 1
        recall, now = self._recall, self._clock.monotonic()
        recall.moves = self._move
        recall.progress()
        if not measured:
            return now
        known = recall.times.pop(self._move, None)
        if known is None:
            self._note(Timed(self._index, 0, self._move, now))
        return now if known is None else known

    def _note(self, step: Timed | Left) -> None:
        stored = self._recorder.note(step)
        if stored is not None:
            self._unstored.append(stored)

    async def _stored(self) -> None:
        """Wait until all is stored that a decision is made of."""
        waiting, self._unstored = [f for f in self._unstored if not f.done()], []
        if waiting:
            await asyncio.wait(waiting)

    def _passed(self) -> None:
        if self._ending or (self._recall.last_move <= self._move and self._is_caught_up()):
            super()._passed()
            return
        self._rings = self._clock.monotonic() + PAUSE
        self._timer = self._clock.call_at(self._rings, self._passed)

    # --- which branch may be taken -----------------------------------------------------------

    async def hear(self) -> None:
        await self._recall.uncut()

    async def judge(self, step: Step) -> None:
        await self._recall.uncut()
        await self._stored()
        limits = timing(step)
        if not (limits.closes or limits.opens):
            self._moment = self._clock.monotonic()
            return
        number, judged = self._recall.next(Judged, f"{step}, which has a timeout")
        if judged is None:
            judged = self._judgement(number, step)
            await self._recorder.record(judged)
        await self._recall.returns(number)
        await self._recall.uncut()
        self._moment = judged.time
        state = self._monitor.state.number
        if judged.verdict == "late":
            raise TooLate(self._role, state, str(step), judged.seconds)
        if judged.verdict == "early":
            raise TooEarly(self._role, state, str(step), judged.seconds, judged.wait)

    def _judgement(self, number: int, step: Step) -> Judged:
        now = self._clock.monotonic()
        when = now if self._pinned is None else self._pinned
        try:
            self.check(step)
        except TooLate as error:
            return Judged(self._index, number, "late", when, error.seconds)
        except TooEarly as error:
            return Judged(self._index, number, "early", when, error.seconds, error.wait)
        return Judged(self._index, number, "", when)

    def is_open(self, step: Step) -> bool:
        limits = timing(step)
        if not (limits.closes or limits.opens):
            return True
        return bool(self._look(lambda: float(super(RecordedDeadlines, self).is_open(step))))

    def left(self) -> float | None:
        return self._look(super().left)

    def _look(self, look: Callable[[], float | None]) -> float | None:
        """What the code sees at once is stored before the next that it says."""
        number, seen = self._recall.next(Left, "a look at the time left")
        self._recall.open.discard(number)
        if seen is None:
            seen = Left(self._index, number, look())
            self._note(seen)
        return seen.seconds

    def pin(self) -> None:
        """What is decided next was decided when it was judged."""
        self._pinned = self._moment

    # --- blocks ------------------------------------------------------------------------------

    def limit(self) -> TimeLimit:
        return RecordedLimit(self)

    def enter(self, cut: Callable[[], None]) -> tuple[int, Limited | None]:
        block, before = self._recall.enter(cut)
        if before is None:
            self._inside.add(block)
        return block, before

    @property
    def is_limiting(self) -> bool:
        """Whether the code is in a block whose end is not in the log."""
        return bool(self._inside)

    def leave(self, block: int) -> None:
        self._inside.discard(block)
        self._recall.leave(block)

    async def settle(self, block: int, when: float, *, cut: bool) -> bool:
        """Whether time was up when the `block`-th block ended."""
        await self._stored()
        opened = sorted(self._recall.open)
        number, limited = self._recall.next(Limited, "the end of a deadline")
        if limited is None:
            now = self._clock.monotonic()
            passed = cut or now >= when
            limited = Limited(self._index, number, block, passed, now, self._move, opened)
            self._recall.ends(limited)
            await self._recorder.record(limited)
        self._moment = limited.time
        self.leave(block)
        await self._recall.returns(number)
        return limited.passed

    def ring(self, when: float, callback: Callable[[], None]) -> Timer:
        return self._clock.call_at(when, callback)


class RecordedLimit(TimeLimit):
    """A block of `me.deadline()` whose end is recorded before the code sees it."""

    __slots__ = ("_block", "_recorded")

    def __init__(self, deadlines: RecordedDeadlines) -> None:
        super().__init__(deadlines, None)
        self._recorded = deadlines
        self._block = 0

    async def __aenter__(self) -> Self:
        times = self._recorded
        times.unpin()
        self._when = times.decision()
        self._scope.__enter__()
        if self._when is not None:
            self._block, before = times.enter(self._scope.cancel)
            if before is None:
                self._timer = times.ring(self._when, self._scope.cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        cut = self._scope.cancel_called
        caught = bool(self._scope.__exit__(kind, error, trace))
        if self._when is None:
            return caught
        if error is not None and not caught and not isinstance(error, Exception):
            self._recorded.leave(self._block)
            return False
        self.passed = await self._recorded.settle(self._block, self._when, cut=cut)
        if not self.passed:
            self._recorded.pin()
        return caught
