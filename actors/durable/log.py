"""The writer of a unit's records: everything behind the unit's fence, nothing waited for but on
demand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ...broker.contract import Broker, Fence
from ...broker.errors import BrokerError, PayloadTooLarge
from .errors import BeyondLog
from .names import Place
from .records import Step, pack_steps

STEPS = 256
"""The most steps in one record."""


class UnitLog:
    """Owned by a unit, for one incarnation. `failed` is called, once, when a record was refused:
    from then on nothing is handed over."""

    def __init__(
        self,
        broker: Broker,
        place: Place,
        role: str,
        start: int,
        fence: Fence,
        incarnation: int,
        failed: Callable[[BrokerError], None],
    ) -> None:
        self._broker = broker
        self._stream = place.stream
        self._own = place.own(role, start)
        self._fence = fence
        self._id = f"{place.protocol}.{place.session}.{role}.{start}.{incarnation}"
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._unstored = 0
        self._steps: list[Step] = []
        self._stored: asyncio.Future[None] | None = None
        self._settled: list[asyncio.Future[None]] = []
        self.failure: BrokerError | None = None
        self.before: Callable[[], Awaitable[None]] | None = None
        """Called before it is waited until all is stored: what else is to be handed over?"""

    def hand_over(self, subject: str, data: bytes) -> asyncio.Future[int] | None:
        """Submit a record; None where the unit has failed. Raises `PayloadTooLarge`."""
        if self.failure is not None:
            return None
        self._count += 1
        future = self._broker.submit(
            self._stream, subject, data, message_id=f"{self._id}.{self._count}", fence=self._fence
        )
        self._unstored += 1
        future.add_done_callback(self._is_stored)
        return future

    def say(self, subject: str, data: bytes) -> None:
        """Publish outside the log; while the connection is gone, that is lost."""
        with suppress(BrokerError):
            self._broker.publish(subject, data)

    def _is_stored(self, future: asyncio.Future[int]) -> None:
        self._unstored -= 1
        error = None if future.cancelled() else future.exception()
        if isinstance(error, BrokerError) and self.failure is None:
            self.failure = error
            self._failed(error)
        if not self._unstored or self.failure is not None:
            self._tell_settled()

    def _tell_settled(self) -> None:
        waiting, self._settled = self._settled, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def settled(self) -> None:
        """Wait until everything handed over, and every step, is stored. Raises what refused it."""
        if self.before is not None:
            await self.before()
        self._flush()
        while self._unstored and self.failure is None:
            future: asyncio.Future[None] = self._loop.create_future()
            self._settled.append(future)
            await future
        if self.failure is not None:
            raise self.failure

    # --- steps -------------------------------------------------------------------------

    async def record(self, step: Step) -> None:
        """Store a step, with all that are recorded in the same turn; returns when it is stored."""
        stored = self.note(step)
        await asyncio.shield(stored)
        if self.failure is not None:
            raise self.failure

    def note(self, step: Step) -> asyncio.Future[None]:
        """As `record`, without waiting."""
        if self.failure is not None:
            raise self.failure
        if self._stored is None or len(self._steps) >= STEPS:
            self._flush()
            self._stored = self._loop.create_future()
            self._loop.call_soon(self._flush)
        self._steps.append(step)
        return self._stored

    def _flush(self) -> None:
        if not self._steps or self._stored is None:
            return
        steps, stored = self._steps, self._stored
        self._steps, self._stored = [], None
        try:
            future = self.hand_over(self._own, pack_steps(steps))
        except PayloadTooLarge as error:
            stored.set_exception(error)
            return
        if future is None:
            stored.set_result(None)
        else:
            future.add_done_callback(lambda _: _set(stored))


def _set(stored: asyncio.Future[None]) -> None:
    if not stored.done():
        stored.set_result(None)


class ClosedLog:
    """The log of a unit that is only looked at: whatever would go into it ends the replay."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def settled(self) -> None:
        raise BeyondLog(self._name, "a call")

    async def record(self, step: Step) -> None:
        raise BeyondLog(self._name, "another step")

    def note(self, step: Step) -> asyncio.Future[None] | None:
        if step.number:
            raise BeyondLog(self._name, "another step")
        return None
