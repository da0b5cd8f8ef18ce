"""One unit that a worker has taken, from the item on the queue until that is ended or given back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from ...broker.contract import WorkItem
from ...broker.errors import BrokerError, Fenced, Forbidden, HoldTaken, StreamRefused
from ...effects.errors import JournalBroken
from ...language.errors import PavaneError
from ..durable.assignment import Assignment
from ..durable.company import Lack
from ..durable.errors import (
    Departure,
    LogDamaged,
    NoSuchSession,
    Overtaken,
    SessionFailed,
    Unreadable,
)
from ..durable.fencing import Taker, is_held, item_of, lost
from ..durable.handle import is_over
from ..durable.history import read
from ..durable.names import stream
from ..durable.records import Taken, unpack_word
from ..durable.unit import Unit
from ..errors import PeerFailed, RoleFailed, SessionCancelled
from ..log import place_of, told
from ..runtime import Runtime
from .dead import bury
from .errors import Poisoned, Unfit, UnknownVersion
from .keeping import Keeper
from .part import Part
from .restart import Supervisor
from .shelf import Shelf
from .versions import own_version

WINDOW = 10
"""A unit is poisoned if it was taken too often within so many leases for each time."""

DISPUTES = 5
"""How often a unit is taken again because somebody else has written its journal or its account."""

WAITED = 2.0
"""Seconds that a unit waits for others before a full worker asks whether they are there."""

AGAIN = 1.0
"""Seconds until a unit that was given up for others is put back, about."""

LATER = 5
"""How often these two are doubled for one that is given up again and again."""

Outcome = Literal["ended", "handed over", "left"]
"""What became of a unit here: it is over or set aside; another has it; or nobody could be told,
and another takes it when the lease is over."""

_PAUSE = 1.0

_log = logging.getLogger("pavane.workers")


@dataclass(frozen=True, slots=True)
class Tools:
    """What all jobs of a worker use."""

    runtime: Runtime
    keeper: Keeper
    shelf: Shelf
    worker: str
    attempts: int


class Job:
    """Owned by a worker, as one task: `await run()`. `leave` hands the unit over to another."""

    def __init__(self, tools: Tools, part: Part, assignment: Assignment, item: WorkItem) -> None:
        self.size = max(1, assignment.stop - assignment.start)
        self.outcome: Outcome = "left"
        self.key = (assignment.place, assignment.role, assignment.start)
        self._tools = tools
        self.part = part
        self._assignment = assignment
        self._item = item
        self._kept = tools.keeper.keep(item)
        self._leaving = asyncio.Event()
        self._displaced: int | None = None
        self._disputes = 0
        self._warned = ""
        self._delay = 0.0
        self._moved = (0, time.monotonic())
        self._unit: Unit | None = None
        self._said = f"{assignment.name} of session {assignment.session}"
        fields = {"session": assignment.session, "role": assignment.name}
        self._log = logging.LoggerAdapter(_log, fields)

    async def leave(self) -> None:
        """Stop at once and give the unit back; `run` ends soon."""
        self._leaving.set()
        if self._unit is not None:
            await self._unit.release()

    async def displace(self, by: Job) -> None:
        """As `leave`, for a unit that has come to this worker a second time: two that play it in
        one process would write as one."""
        self._displaced = by._item.number
        await self.leave()

    async def park(self) -> None:
        """As `leave`, for a unit that cannot go on: it comes back later, and each time later still."""
        self._delay = AGAIN * self._later * random.uniform(0.5, 1.0)
        self._log.info("%s lets others have its place for %.1f s", self._said, self._delay)
        await self.leave()

    async def abandon(self) -> None:
        """Give the unit back though what plays it here does not end: it cannot store anything more."""
        if self.outcome == "left" and self._displaced is None:
            await self._hand_over()

    @property
    def _later(self) -> int:
        """By how much the times of a unit grow that was given up before."""
        hold = self._unit.hold if self._unit is not None else None
        return 1 << min(hold.taken.yielded, LATER) if hold is not None else 1

    # --- whether it can go on --------------------------------------------------------------

    @property
    def is_stuck(self) -> bool:
        """Whether it has done nothing but wait for others for a while, and longer for one that was
        given up before."""
        company = self._unit.company if self._unit is not None else None
        if company is None or self._leaving.is_set():
            return False
        now, progress = time.monotonic(), company.progress()
        if progress != self._moved[0] or not company.awaited():
            self._moved = (progress, now)
        return now - self._moved[1] >= WAITED * self._later

    async def lacks(self) -> Lack | None:
        """What keeps it from going on, if anything does for sure."""
        company = self._unit.company if self._unit is not None else None
        return await company.lacks() if company is not None else None

    # --- from the item to its end ----------------------------------------------------------

    async def run(self) -> None:
        """Whatever happens is recorded, or left to the next worker; raises only cancellations."""
        try:
            if self._item.attempt > self._tools.attempts and await self._is_poisoned():
                unit = self._assignment
                before = self._item.attempt - 1
                await self._bury(Poisoned(unit.session, unit.name, before), before)
            else:
                await self._play()
        except BrokerError as error:
            # Not hearing of us, the server gives the unit to another when the lease is over.
            self._log.warning("%s is left to others: %s", self._said, _told(error))
        finally:
            self._tools.keeper.drop(self._kept)

    # --- playing -------------------------------------------------------------------------

    async def _play(self) -> None:
        """Again and again, until it is at its end, or somebody else's."""
        supervisor = Supervisor(self.part.restart, time.monotonic)
        while self._kept.held:
            error = await self._once()
            if self._displaced is not None:
                return await self._yield(self._displaced)
            if self._leaving.is_set() and not (self._unit and self._unit.is_done):
                return await self._hand_over()
            if error is None:
                return await self._end()
            delay = await self._after(error, supervisor)
            if delay is None:
                return
            self._tell(error, delay)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._leaving.wait()
        self._log.info("%s is left to others: it was not kept in time", self._said)

    def _tell(self, error: PavaneError, delay: float) -> None:
        """Why it is played again; what is said again and again is a warning once."""
        told = _told(error)
        level = logging.DEBUG if told == self._warned else logging.WARNING
        self._log.log(level, "%s is played again in %.1f s: %s", self._said, delay, told)
        self._warned = told

    async def _after(self, error: PavaneError, supervisor: Supervisor) -> float | None:
        """The seconds until it is to be played again, or None: here it is at its end."""
        match error:
            case NoSuchSession():
                # It was over, and its log is purged.
                await self._finish()
            case PeerFailed() | SessionFailed() | SessionCancelled():
                if not await self._is_over():
                    # Heard as it was published, and not stored: then it never happened.
                    return _PAUSE
                await self._end()
            case Overtaken():
                await self._hand_over()
            case Fenced():
                await self._yield(await self._other())
            case Departure() | Unfit() | UnknownVersion() | LogDamaged() | Unreadable():
                await self._bury(error, self._item.attempt)
            case JournalBroken() | HoldTaken():
                return await self._dispute(error)
            case BrokerError() if _is_outside(error):
                return _PAUSE
            case _:
                delay = supervisor.after(error)
                if delay is None:
                    await self._fail(error)
                return delay
        return None

    async def _dispute(self, error: PavaneError) -> float | None:
        """Perhaps a worker that was stopped in the middle of taking the unit, before us, went on with
        it: what it had of the unit, it loses when we take it again."""
        if not (self._kept.held and await self._is_ours()):
            await self._yield(await self._other())
            return None
        self._disputes += 1
        if self._disputes > DISPUTES:
            await self._bury(error, self._item.attempt)
            return None
        return _PAUSE

    async def _once(self) -> PavaneError | None:
        """Play the unit from its log; what ended it before its end."""
        try:
            self._unit = await self._made()
            if not self._leaving.is_set():
                await self._unit.play()
        except PavaneError as error:
            return error
        return None

    async def _made(self) -> Unit:
        """The unit, in the version of its session. Raises `UnknownVersion`, `Unfit`."""
        given, part = self._assignment, self.part
        choreography = await own_version(
            self._tools.shelf, part.choreography, part.role, given.fingerprint, given.bindings
        )
        return await self._tools.runtime.unit(
            choreography, given, part.implementation,
            taker=Taker(
                self._tools.worker, (given.attempt, self._item.attempt), self._item.number
            ),
        )  # fmt: skip

    # --- the end -------------------------------------------------------------------------

    async def _finish(self) -> None:
        """It is over, or set aside. Where the lease was lost, the item is another's to end."""
        if self._kept.held:
            await self._item.done()
        self.outcome = "ended"

    async def _end(self) -> None:
        """The unit, or its session, is at its end in the log: so are those begun for it."""
        if self._unit is not None and self._kept.held:
            await self._unit.dismiss()
        await self._finish()

    async def _hand_over(self) -> None:
        if not self._kept.held:
            return
        if self._unit is not None:
            await self._unit.leave(yielding=self._delay > 0)
        await self._item.again(self._delay)
        self.outcome = "handed over"

    async def _yield(self, item: int) -> None:
        """Another has the unit, and was given `item` for it. If that is ours, it is not ours to end:
        the queue would know nothing of the unit any more when the other dies. If it is one of its
        own, ours would take the unit away from it some day."""
        self._log.info("%s was taken by another worker", self._said)
        if item != self._item.number:
            await self._finish()
        self.outcome = "handed over"

    async def _other(self) -> int:
        """The item of whoever has taken the unit."""
        return await item_of(self._tools.runtime.broker, self._assignment)

    async def _fail(self, error: PavaneError) -> None:
        """Let the session fail, so that all its roles and its starter hear of it: but for what only
        looks like a failure to a worker whose time is over."""
        if not self._kept.held or not await self._is_ours():
            self._log.info(
                "%s is another worker's, so that here it ended: %s", self._said, _told(error)
            )
            return
        if self._unit is None:
            # Nothing of it was played: it is this worker that could not, another one may.
            return await self._bury(error, self._item.attempt)
        self._log.error("%s has failed: %s", self._said, _told(error))
        await self._unit.give_up(error)
        await self._end()

    async def _is_over(self) -> bool:
        """Whether the log says that the session has ended."""
        place = self._assignment.place
        found = await read(self._tools.runtime.broker, place, place.words)
        return found.purged is not None or is_over(found)

    async def _is_ours(self) -> bool:
        """Whether no other worker has taken the unit since this one did."""
        unit = self._unit
        if unit is None or unit.hold is None:
            return True
        return await is_held(self._tools.runtime.broker, self._assignment, unit.hold)

    async def _bury(self, error: PavaneError, attempts: int) -> None:
        """Set the unit aside for an operator, who is told how often it was taken."""
        self._log.error("%s is set aside: %s", self._said, _told(error))
        if not self._kept.held:
            return
        await bury(
            self._tools.runtime.broker,
            self._assignment,
            topic=self.part.topic,
            code=error.code,
            reason=error.message,
            attempts=attempts,
            worker=self._tools.worker,
        )
        await self._finish()

    async def _is_poisoned(self) -> bool:
        """Whether workers took it too often of late: an attempt may also be one that was handed
        over, or lost with its worker long ago."""
        unit = self._assignment
        limit = self._tools.attempts
        horizon = time.time() - WINDOW * limit * self._tools.keeper.longest
        fence = unit.place.fence(unit.role, unit.start)
        records = self._tools.runtime.broker.read(stream(unit.namespace), fence)
        words = [unpack_word(r.payload) async for r in records if r.time / 1e9 > horizon]
        return lost(word for word in words if isinstance(word, Taken)) >= limit


def _told(error: PavaneError) -> str:
    """What goes into a log: the error's kind and place, and nothing that the user's code says."""
    place = place_of(error) if isinstance(error, RoleFailed) else ""
    return f"{told(error)} [{error.code}]{' at ' if place else ''}{place}"


def _is_outside(error: BrokerError) -> bool:
    """Whether it says nothing about the role: a server that is away, full, or does not permit it.
    A payload that is too large is the role's own."""
    return error.retryable or isinstance(error, StreamRefused | Forbidden)
