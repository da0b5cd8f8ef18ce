"""One unit of a durable session in this process: played from its log, to its end.

set-up: listen, take the unit, read what its log has. running: one task for each instance, as in a
live session. tear-down: nothing is left, and what was not stored is nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import anyio

from ...broker.errors import BrokerError, Fenced
from ...effects.errors import JournalBroken
from ...effects.identity import Identity
from ...effects.pipeline.pipeline import Pipeline
from ...language.errors import PavaneError
from ..around import NOTHING, Around
from ..cast import Cast
from ..endpoint.calls import packed
from ..endpoint.clock import Clock, LoopClock
from ..endpoint.seat import Seat
from ..errors import RoleFailed, StepTimedOut
from ..events import Event
from ..mailbox.switchboard import Ear, Switchboard, silence
from ..playing import Implementation, failure_of, play
from ..wallet import Held
from . import ends, fencing, records
from .assignment import Assignment
from .catching import Catching
from .children import Children
from .company import Company
from .fencing import Hold, Taker
from .handle import dismiss
from .history import History, read_unit
from .log import UnitLog
from .names import LOG, NOBODY
from .records import Cancelled, Failed, Taken, Tallied
from .sealing import Sealing
from .stage import Stage
from .tallies import done, tallied

GRACE = 0.25
"""Seconds that role functions get to end by themselves after the session has failed; then they
are cancelled, and may still clean up."""

PARTING = 1.0
"""Seconds for the last words to a broker that may not be there."""

_DOT_LOG = "." + LOG


class Unit:
    """Plays the instances of one assignment. Use it once: `await play()`; or, to have all units of
    a session listen before one speaks, `await take()` before.

    `tokens` issues the instances' capability tokens.
    """

    def __init__(
        self,
        cast: Cast,
        assignment: Assignment,
        implementation: Implementation,
        switchboard: Switchboard,
        pipeline: Pipeline,
        *,
        tokens: Callable[[Identity], Held],
        observe: Callable[[Event], None] | None = None,
        around: Around = NOTHING,
        taker: Taker,
        clock: Clock | None = None,
    ) -> None:
        self.assignment = assignment
        self.failure: PavaneError | None = None
        self.incarnation = 0
        self.place = assignment.place
        self.tallies: dict[int, Tallied] = {}
        """What each instance came to, once the unit is done."""
        self._cast = cast
        self._implementation = implementation
        self._switchboard = switchboard
        self._broker = switchboard.broker
        self._pipeline = pipeline
        self._tokens = tokens
        self._observe = observe
        self._around = around
        self._taker = taker
        self.hold: Hold | None = None
        self._clock: Clock = clock or LoopClock()
        self._loop = asyncio.get_running_loop()
        self._scope = anyio.CancelScope()
        self._grace: asyncio.TimerHandle | None = None
        self._ears: list[Ear] = []
        self._early: list[tuple[str, bytes]] = []
        self._log: UnitLog | None = None
        self._stage: Stage | None = None
        self._catching: Catching | None = None
        self._released = False
        self._sealing = Sealing(around.codec, self.place)
        self._word = self.place.word(assignment.role, assignment.start)
        self._decided: asyncio.Future[int] | None = None
        self._children = Children()

    # --- set-up ------------------------------------------------------------------------

    async def take(self) -> None:
        """Listen, and make the unit ours: from now on nothing of a worker before is stored.

        Raises `Fenced` or `Overtaken` where it is another's, see `fencing.take`.
        """
        try:
            await self._listen()
            await self._raise_fence()
        except BaseException:
            await self._tear_down()
            raise

    async def _listen(self) -> None:
        hear = self._switchboard.listen
        where = (self.assignment.namespace, self.assignment.protocol)
        role, session = self.assignment.role, self.assignment.session
        self._ears += await hear(
            *where, (role, NOBODY), session, self._heard_log, self._lost, suffix=_DOT_LOG
        )
        self._ears += await hear(*where, (role,), session, self._heard_live, self._lost)

    async def _raise_fence(self) -> None:
        unit = self.assignment
        self.hold = await fencing.take(self._broker, unit, self._taker)
        self.incarnation = self.hold.taken.incarnation
        self._log = UnitLog(
            self._broker, self.place, unit.role, unit.start, self.hold.fence, self.incarnation,
            self._refused,
        )  # fmt: skip

    async def _prepare(self, history: History) -> Stage:
        """Lay out the seats, with all that the log has for them."""
        assert self._log is not None, "take() comes first"
        stage = self._stage = Stage(
            self, self._cast, self._switchboard, self._pipeline, self._log, self._log, history,
            tokens=self._tokens, observe=self._observe, around=self._around, clock=self._clock,
            over=self.tallies,
        )  # fmt: skip
        assert self.hold is not None, "take() comes first"
        check = partial(fencing.check, self._broker, self.assignment, self.hold)
        await stage.take_over(self._taker.name, check)
        self._catching = Catching(
            self._broker,
            self.place,
            self.assignment.role,
            stage,
            history.end,
            self._ended_elsewhere,
        )
        stage.on_missing = self._catching.begin
        stage.calls.children = self._children
        self._log.before = stage.backlog.settle
        stage.feed(history)
        early, self._early = self._early, []
        for subject, data in early:
            stage.post.deliver(subject, data)
        return stage

    # --- running -----------------------------------------------------------------------

    async def play(self, history: History | None = None) -> None:
        """Play to the end, from where the log stands; returns when that is stored.

        `history` is the log as it was read after `take`. Raises `Fenced` when another worker has
        taken the unit, `Departure` when the code does something else than the log has,
        `RoleFailed` or whatever else ended it here, and for an end elsewhere `SessionFailed`,
        `PeerFailed` or `SessionCancelled`. Only the last three are in the log: see `give_up`.
        """
        try:
            if self._log is None:
                await self.take()
            unit = self.assignment
            if history is None:
                history = await read_unit(
                    self._broker, self.place, unit.role, unit.start, unit.stop,
                    new=self.incarnation == 1,
                )  # fmt: skip
            self._children = Children(history.steps.get((unit.role, unit.start), ()))
            if self._is_over(history):
                return
            stage = await self._prepare(history)
            with self._scope:
                async with anyio.create_task_group() as group:
                    for seat in stage.seats.values():
                        group.start_soon(self._play, stage, seat)
            if self.failure is None and not self._released:
                await self._end(stage)
        except PavaneError as error:
            self.fail(error, self.assignment.name)
        finally:
            with anyio.CancelScope(shield=True):
                await self._tear_down()
        if self.failure is not None:
            raise self.failure

    def _is_over(self, history: History) -> bool:
        """Whether there is nothing to play any more. Raises why the session has ended."""
        unit = self.assignment
        everyone = range(unit.start, unit.stop)
        if all((unit.role, index) in history.ended for index in everyone):
            sealing = self._sealing
            ended = ((index, history.ended[unit.role, index]) for index in everyone)
            self.tallies = {i: sealing.tallied((unit.role, i), one) for i, one in ended}
            return True
        for word in (history.failed, history.cancelled):
            if word is not None:
                raise ends.ended(unit.session, word)
        return False

    async def _play(self, stage: Stage, seat: Seat) -> None:
        try:
            with stage.trace.playing(seat.name) if stage.trace is not None else nullcontext():
                value = await play(seat, self._implementation)
            stage.finish(seat)
            self.tallies[seat.index] = tallied(seat, packed(value, seat.name))
        except BaseException as error:  # noqa: BLE001
            session = self.assignment.session
            failure = failure_of(error, session, seat.name)
            # One of another session, which its own code has waited for, is as any other of its own.
            ours = getattr(failure, "session", session) == session
            self.fail(failure if ours else RoleFailed(session, seat.name, failure), seat.name)

    async def _end(self, stage: Stage) -> None:
        """Store what the instances came to, once all that they said is stored."""
        assert self._log is not None
        stage.flush()
        await self._log.settled()
        if self.failure is not None:
            return
        await stage.end_journals()
        role, sealing = self.assignment.role, self._sealing
        sealed = {i: sealing.untold((role, i), one) for i, one in self.tallies.items()}
        for part in done(sealed):
            self._log.hand_over(self._word, records.pack(part))
        await self._log.settled()

    # --- the end -----------------------------------------------------------------------

    def fail(self, error: PavaneError, culprit: str) -> None:
        """Stop playing because of `error` at `culprit`; only the first time counts. That time was up
        is stored before anybody hears of it: it was, then, whoever plays the unit."""
        if isinstance(error, StepTimedOut) and self._log is not None:
            if self._decided is None and self.failure is None and not self._released:
                failed = ends.failed(error, self.assignment.name, sealed=self._sealing.is_on)
                self._decided = self._log.hand_over(self._word, records.pack(failed))
            if self._decided is not None:
                self._decided.add_done_callback(lambda _: self._stop(error, culprit))
            return
        self._stop(error, culprit)

    def _stop(self, error: PavaneError, culprit: str) -> None:
        if self.failure is not None or self._released:
            return
        self.failure = error
        if self._stage is not None:
            for_others = ends.for_others(self.assignment.session, error, culprit)
            self._stage.stop(error, culprit, for_others)
        self._grace = self._loop.call_later(GRACE, self._scope.cancel)

    async def give_up(self, error: PavaneError | None = None) -> None:
        """Let the whole session fail of what ended this unit; all others hear of it. Raises `Fenced`
        where the unit is another's by now."""
        error = error or self.failure
        assert error is not None, "nothing has failed"
        decided, self._decided = self._decided, None
        if decided is not None:
            await decided
            return
        failed = ends.failed(error, self.assignment.name, sealed=self._sealing.is_on)
        await self._broker.submit(
            self.place.stream, self._word, records.pack(failed),
            message_id=f"{self._word}.{failed.time}",
            fence=self.hold.fence if self.hold is not None else None,
        )  # fmt: skip

    async def release(self) -> None:
        """Stop playing so that another worker can go on; `play` returns without an end."""
        self._released = True
        self._scope.cancel()

    async def leave(self, *, yielding: bool) -> None:
        """Say in the log that nobody plays the unit, which was released; `yielding` for others."""
        if self.hold is not None:
            await fencing.leave(self._broker, self.assignment, self.hold, yielding=yielding)

    async def dismiss(self) -> None:
        """For a unit that is at its end, or whose session is: cancel the sessions that it has handed
        its work on to, and that nobody waits for any more."""
        reason = f"session {self.assignment.session}, which it was played for, is over"
        await dismiss(self._broker, self._children.places, reason)

    @property
    def has_children(self) -> bool:
        return bool(self._children.places)

    @property
    def company(self) -> Company | None:
        """Whom it waits for, while it is played."""
        if self._stage is None or self._released or self.failure is not None:
            return None
        return self._stage.company

    @property
    def is_done(self) -> bool:
        """Whether all its instances have come to their ends, and that is stored."""
        return self.failure is None and not self._released and bool(self.tallies)

    async def _tear_down(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        if self._catching is not None:
            self._catching.cancel()
        if self._stage is not None:
            self._stage.close()
            if self._stage.trace is not None:
                self._stage.trace.end(self.failure)
        await silence(self._ears)
        if self._stage is not None and not self.is_done:
            await self._leave_journals(self._stage)

    async def _leave_journals(self, stage: Stage) -> None:
        """Another may write them already; if not, they end as they do with a live session."""
        if isinstance(self.failure, BrokerError | JournalBroken):
            await stage.leave_journals()
            return
        try:
            async with asyncio.timeout(PARTING):
                await stage.end_journals()
        except (PavaneError, TimeoutError) as error:
            if self.failure is not None:
                self.failure.add_note(f"the journals could not be ended: {error}")

    # --- what comes --------------------------------------------------------------------

    def _heard_log(self, subject: str, data: bytes) -> None:
        """What is said to the role, to the unit, or to the session, as it is published."""
        if self.failure is not None:
            return
        _, _, role, index, _, sender, _, _ = subject.split(".")
        if role == NOBODY or sender == NOBODY:
            self._heard_word(sender, index, data)
        elif self._stage is not None and self._catching is not None:
            self._stage.post.deliver(subject[: -len(_DOT_LOG)], data)
        else:
            self._early.append((subject[: -len(_DOT_LOG)], data))

    def _heard_live(self, subject: str, data: bytes) -> None:
        if self._stage is not None:
            self._stage.post.deliver(subject, data)

    def _heard_word(self, sender: str, index: str, data: bytes) -> None:
        try:
            word = records.unpack_word(data)
        except ValueError:
            return
        match word:
            case Taken(incarnation=incarnation):
                if index == str(self.assignment.start) and 0 < self.incarnation < incarnation:
                    fence = self.place.fence(self.assignment.role, self.assignment.start)
                    self.fail(Fenced(self.place.stream, fence, fence), "the runtime")
            case Cancelled() | Failed():
                self._ended_elsewhere(word)
            case _:
                pass

    def _ended_elsewhere(self, word: Cancelled | Failed) -> None:
        if self._decided is None:
            self.fail(ends.ended(self.assignment.session, word), "another")

    def _refused(self, error: BrokerError) -> None:
        """A record of ours was not stored."""
        self.fail(error, "the runtime")

    def _lost(self, reason: str) -> None:
        if self._catching is not None:
            self._catching.begin()
