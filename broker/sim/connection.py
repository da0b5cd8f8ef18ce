"""A connection to the simulated broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ..contract import Claim, Deliver, Fence, Level, Lost, Record
from ..errors import BrokerError, NotConnected, PayloadTooLarge, Unconfirmed
from ..memory.connection import MAX_PAYLOAD, MemoryBroker, MemorySubscription
from ..memory.queue import Item
from ..subjects import check_pattern, check_subject
from ..surroundings import unique
from .faults import Fault
from .link import Link, SimSubscription
from .mischief import mischief
from .network import Network
from .trace import described, frame_of, parties

PATIENCE = 5.0
"""Seconds that a request waits for a connection that is cut."""

AGAIN = 0.1
"""Seconds after which what was not confirmed is handed over again."""

T = TypeVar("T")

Departure = tuple[str, bytes, Fault | None, float]
"""What is sent in place of a frame: subject, bytes, the fault on its way, how late it is."""


@dataclass(slots=True)
class _Submission:
    """A record on its way to a stream, until it is answered."""

    stream: str
    subject: str
    payload: bytes
    message_id: str
    fence: Fence | None
    answer: asyncio.Future[int]
    fault: Fault | None

    def settle(self, link: Link, answer: int | BrokerError) -> None:
        if link.dead or self.answer.done():
            return
        if isinstance(answer, BrokerError):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class SimBroker(MemoryBroker):
    """Implements `Broker` over a `Network`. Made on the loop of that, in its link's process."""

    def __init__(self, network: Network, link: Link) -> None:
        super().__init__(network.hub, lambda: network.bury(link))
        self.link = link
        self._network = network
        self._address = "sim://"
        network.links[link.name] = link

    # --- live ----------------------------------------------------------------------------

    async def subscribe(
        self, subject: str, deliver: Deliver, *, lost: Lost | None = None
    ) -> SimSubscription:
        check_pattern(subject)
        await self._reach()
        subscription = SimSubscription(self, subject, deliver, lost)
        self._subscriptions[subscription] = None
        self.link.subscriptions[subscription] = None
        self._hub.routes.add(subject, subscription)
        return subscription

    def pend(self, subscription: MemorySubscription, subject: str, payload: bytes) -> None:
        assert isinstance(subscription, SimSubscription)
        self._network.carry(self.link, subscription, subject, payload)

    def forget(self, subscription: MemorySubscription) -> None:
        super().forget(subscription)
        if isinstance(subscription, SimSubscription):
            self.link.subscriptions.pop(subscription, None)

    def publish(self, subject: str, payload: bytes) -> None:
        if self._hub.routes.cached(subject) is None:
            check_subject(subject)
        if not self._open or len(payload) > MAX_PAYLOAD:
            self._check(payload)
        if self.link.dead or not self._may(subject):
            return
        for each, data, fault, late in self._as_struck(subject, payload):
            self._publish(each, data, fault, late)

    def _publish(self, subject: str, payload: bytes, fault: Fault | None, late: float) -> None:
        link, network = self.link, self._network
        if network.is_cut(link) and network.loop.time() >= link.noticed_at:
            raise NotConnected(self._address, "the connection was cut")
        if network.is_cut(link) or network.loop.time() < link.silent_until:
            network.note("lost", link.name, "", _told(subject, payload))
            return
        breaks = link.breaks

        def at_the_hub() -> None:
            if not network.arrive(link, breaks, fault, lambda: self._hub.publish(subject, payload)):
                network.note("lost", link.name, "", _told(subject, payload))

        network.loop.call_at(network.outward(link, late), at_the_hub, context=network.context)

    async def drained(self) -> None:
        self._check()
        link, loop = self.link, self._network.loop
        if self._network.is_cut(link) or link.dead:
            raise NotConnected(self._address, "the connection was cut")
        breaks = link.breaks
        await asyncio.sleep(max(0.0, link.due - loop.time()) + self._network.hop())
        if breaks != link.breaks or link.dead:
            raise NotConnected(self._address, "the connection was cut")

    def _may(self, subject: str) -> bool:
        """As the permissions of a server: what is not allowed goes nowhere."""
        if self.link.allowed(subject):
            return True
        self._network.note("refused", self.link.name, "", subject)
        return False

    def _as_struck(self, subject: str, payload: bytes) -> list[Departure]:
        pair = parties(subject)
        frame = frame_of(payload) if pair is not None else None
        if pair is None or frame is None:
            return [(subject, payload, None, 0.0)]
        sender, receiver = pair
        said = described(frame)
        self._network.note("sent", sender, receiver, said)
        if not frame.messages:
            return [(subject, payload, None, 0.0)]
        return self._struck(sender.partition(".")[0], subject, payload)

    def _struck(self, role: str, subject: str, payload: bytes) -> list[Departure]:
        network, link = self._network, self.link
        on_the_way: Fault | None = None
        late = 0.0
        also: list[Departure] = []
        for fault in network.striking(role):
            network.strike(fault)
            if fault.kind in ("corrupt", "duplicate", "reorder"):
                on_the_way = fault
            elif fault.kind == "delay":
                late = fault.seconds
            else:
                payload, more = mischief(fault, network, link, subject, payload)
                also += [(each, data, None, 0.0) for each, data in more if self._may(each)]
        link.said.append((subject, payload))
        if link.dead:
            return []
        return [(subject, payload, on_the_way, late), *also]

    # --- asking --------------------------------------------------------------------------

    async def _reach(self) -> None:
        """Be at the hub, with a request. Raises `NotConnected` where it cannot be reached."""
        self._check()
        network, link = self._network, self.link
        if not link.roles:
            # Whoever plays nobody, as an operator does, sits at the hub.
            return
        await asyncio.sleep(2 * network.hop())
        deadline = network.loop.time() + PATIENCE
        while not link.dead and (network.is_cut(link) or network.loop.time() < link.silent_until):
            if network.loop.time() >= deadline:
                raise NotConnected(self._address, "the connection was cut")
            await asyncio.sleep(min(AGAIN, deadline - network.loop.time()) + 1e-6)
        if link.dead:
            raise NotConnected(self._address, "its process was killed")
        self._check()

    def _loses_answer(self) -> bool:
        loses, self.link.loses_answer = self.link.loses_answer, False
        if loses:
            self._network.note("lost", self.link.name, "", "an answer of the broker")
        return loses

    async def _asked(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a request that may not be repeated."""
        await self._reach()
        answer = await ask()
        if self._loses_answer():
            raise Unconfirmed(what, PATIENCE)
        return answer

    # --- streams -------------------------------------------------------------------------

    async def ensure_stream(self, stream: str, subjects: list[str]) -> None:
        await self._reach()
        await super().ensure_stream(stream, subjects)

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        certain = message_id is not None or expected is not None
        message_id = message_id or unique(12)
        while True:
            await self._reach()
            failing = self.link.failing.get(stream, 0.0)
            if self._network.loop.time() < failing:
                raise Unconfirmed(f"append to {stream}", PATIENCE)
            if not self._may(subject):
                raise Unconfirmed(f"append to {stream}", PATIENCE)
            stored = await super().append(
                stream, subject, payload, message_id=message_id, expected=expected
            )
            if not self._loses_answer():
                return stored
            if not certain:
                raise Unconfirmed(f"append to {stream}", PATIENCE)
            await asyncio.sleep(AGAIN)

    def submit(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        fence: Fence | None = None,
    ) -> asyncio.Future[int]:
        check_subject(subject)
        if len(payload) > MAX_PAYLOAD:
            raise PayloadTooLarge(len(payload), MAX_PAYLOAD)
        submitted: asyncio.Future[int] = self._loop.create_future()
        if self.link.dead or not self._may(subject):
            return submitted
        frames = self._as_struck(subject, payload)
        for number, (each, data, fault, late) in enumerate(frames):
            answer = self._loop.create_future() if number else submitted
            name = f"{message_id}.{number}" if number else message_id
            self._submit(_Submission(stream, each, data, name, fence, answer, fault), late)
        return submitted

    def _submit(self, what: _Submission, late: float = 0.0) -> None:
        link, network = self.link, self._network
        now = network.loop.time()
        wait = max(late, link.cut_until - now, min(link.silent_until, 1e9) - now, 0.0)
        breaks, alive = link.breaks, not link.dead

        def at_the_hub() -> None:
            done = alive and network.arrive(link, breaks, what.fault, lambda: self._store(what))
            if not done and not link.dead:
                # The connection broke: it is handed over again, with all that followed it.
                self._submit(what)

        network.loop.call_at(network.outward(link, wait), at_the_hub, context=network.context)

    def _store(self, what: _Submission) -> None:
        link, network = self.link, self._network
        try:
            log = self._hub.stream(what.stream)
            log.check(what.subject, what.fence)
            sequence = self._hub.append(log, what.subject, what.payload, what.message_id, None)
            answer: int | BrokerError = sequence
        except BrokerError as error:
            answer = error
        if what.fault is not None and what.fault.kind == "duplicate":
            what.fault = None
            self._submit(what)
        if self._loses_answer():
            network.loop.call_later(AGAIN, self._submit, what, context=link.context)
            return
        network.loop.call_later(network.hop(), what.settle, link, answer, context=link.context)

    async def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncIterator[Record]:
        await self._reach()
        async for record in super().read(stream, subject, start=start, follow=follow):
            yield record

    async def last(self, stream: str, subject: str) -> Record | None:
        await self._reach()
        return await super().last(stream, subject)

    async def purge(self, stream: str, subject: str, *, keep: int = 0) -> int:
        await self._reach()
        return await super().purge(stream, subject, keep=keep)

    # --- work ----------------------------------------------------------------------------

    async def ensure_queue(self, queue: str, *, lease: float | None = None) -> None:
        await self._reach()
        await super().ensure_queue(queue, lease=lease)

    async def lease(self, queue: str) -> float | None:
        await self._reach()
        return await super().lease(queue)

    async def put(
        self, queue: str, payload: bytes, *, topic: str = "", message_id: str | None = None
    ) -> None:
        await self._reach()
        await super().put(queue, payload, topic=topic, message_id=message_id)

    async def take(self, queue: str, *, topic: str = "", timeout: float) -> Item | None:
        await self._reach()
        return await super().take(queue, topic=topic, timeout=timeout)

    # --- bounded counters ----------------------------------------------------------------

    async def set_limit(self, counter: str, limit: int, *, window: float | None = None) -> Level:
        ask = super().set_limit
        return await self._asked("set_limit", lambda: ask(counter, limit, window=window))

    async def spend(self, counter: str, amount: int) -> Level:
        ask = super().spend
        return await self._asked(f"spend of {counter}", lambda: ask(counter, amount))

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        ask = super().give_back
        return await self._asked("give_back", lambda: ask(counter, amount, epoch=epoch))

    async def reserve(self, counter: str, claim: Claim) -> Level:
        ask = super().reserve
        return await self._asked(f"reserve of {counter}", lambda: ask(counter, claim))

    async def release(
        self, counter: str, account: str, *, owner: str, epoch: int, used: int
    ) -> Level:
        await self._reach()
        return await super().release(counter, account, owner=owner, epoch=epoch, used=used)

    async def rotate(self, counter: str) -> Level:
        await self._reach()
        return await super().rotate(counter)

    async def level(self, counter: str) -> Level | None:
        await self._reach()
        return await super().level(counter)


def _told(subject: str, payload: bytes) -> str:
    frame = frame_of(payload)
    return described(frame) if frame is not None else f"{len(payload)} bytes on {subject}"
