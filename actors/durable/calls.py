"""Calls, looks at the clock, sleeps and turns of a durable unit: recorded before they are seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from ...effects.resilience.resilient import Resilience
from ..endpoint.calls import Call, Caller, made
from ..endpoint.clock import Clock
from ..endpoint.seat import Source
from ..errors import CallFailed
from ..mailbox.mailbox import Mailbox
from .children import Children
from .names import Place
from .recall import Recall
from .records import Handed, Looked, Ran, Read, Slept, Step
from .sealing import Sealing


class Recorder(Protocol):
    """What steps are written to: the log of a unit, or nothing."""

    async def settled(self) -> None:
        """Wait until all that was said and recorded is stored."""
        ...

    async def record(self, step: Step) -> None:
        """Store a step; returns when it is stored."""
        ...

    def note(self, step: Step) -> asyncio.Future[None] | None:
        """Store a step without waiting; what is returned is done when it is stored."""
        ...


class RecordedCalls:
    """Those of all instances of a unit. `flush` hands over what an instance has said so far."""

    def __init__(
        self,
        recalls: Mapping[int, Recall],
        recorder: Recorder,
        clock: Clock,
        flush: Callable[[int], None],
        role: str,
        sealing: Sealing,
    ) -> None:
        self._recalls = recalls
        self._recorder = recorder
        self._clock = clock
        self._flush = flush
        self._role = role
        self._sealing = sealing
        self.calling: Counter[int] = Counter()
        """How many calls each instance waits for."""
        self.children = Children()
        """The sessions that were begun in calls."""

    async def run(self, caller: Caller, name: str, call: Call, around: Resilience) -> bytes:
        index = caller.index
        number, ran = self._recalls[index].next(Ran, name)
        failed: CallFailed | None = None
        if ran is None:
            # What the world sees of the call, the log knows the reasons of.
            self._flush(index)
            await self._recorder.settled()
            self.calling[index] += 1
            try:
                ran = Ran(index, number, name, await made(caller.name, name, call, around))
            except CallFailed as error:
                ran, failed = Ran(index, number, name, b"", error.kind, error.reason), error
            finally:
                self.calling[index] -= 1
            await self._recorder.record(self._sealing.sealed(self._role, ran))
            self.children.add(ran)
        else:
            ran = self._sealing.opened(self._role, ran)
        await self._recalls[index].returns(number)
        if ran.error:
            raise failed or CallFailed(caller.name, name, ran.error, ran.reason)
        return ran.value

    async def hand_on(self, caller: Caller, call: str, child: Place) -> None:
        """Record that `call`, which is being made, begins the session `child`."""
        handed = Handed(caller.index, 0, call, child.namespace, child.protocol, child.session)
        if not self.children.has(handed):
            self.children.add(handed)
            await self._recorder.record(handed)

    async def now(self, caller: Caller) -> float:
        number, looked = self._recalls[caller.index].next(Looked, "a look at the clock")
        if looked is None:
            looked = Looked(caller.index, number, self._clock.now())
            await self._recorder.record(looked)
        await self._recalls[caller.index].returns(number)
        return looked.time

    async def sleep(self, caller: Caller, seconds: float) -> None:
        number, slept = self._recalls[caller.index].next(Slept, "a sleep")
        if slept is None:
            slept = Slept(caller.index, number, self._clock.now() + seconds)
            await self._recorder.record(slept)
        left = slept.until - self._clock.now()
        if left > 0:
            self._flush(caller.index)
            await self._clock.sleep(left)
        await self._recalls[caller.index].returns(number)

    async def first(self, mailbox: Mailbox, ready: Callable[[], Source | None]) -> Source:
        """Who is heard first, where an instance may hear several. `ready` says who could be."""
        recall = self._recalls[mailbox.index]
        number, read = recall.next(Read, "a message of whoever came first")
        if read is None:
            while (source := ready()) is None:
                await mailbox.arrival()
            read = Read(mailbox.index, number, *source)
            await self._recorder.record(read)
        await recall.returns(number)
        return (read.role, read.sender)
