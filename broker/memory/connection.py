"""A connection to a hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from .. import level as levels
from ..contract import Claim, Deliver, Fence, Level, Lost, Record
from ..errors import BrokerError, NotConnected, PayloadTooLarge, UnknownCounter
from ..room import Room
from ..subjects import check_pattern, check_subject, check_topic, token
from .hub import Hub
from .queue import Item

MAX_PAYLOAD = 1 << 20


class MemorySubscription:
    """Delivers on the loop of its connection, never inside the call that publishes."""

    def __init__(self, connection: MemoryBroker, pattern: str, deliver: Deliver) -> None:
        self.connection = connection
        self.pattern = pattern
        self.deliver = deliver
        self.open = True

    def accept(self, subject: str, payload: bytes) -> None:
        self.connection.pend(self, subject, payload)

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        if self.open:
            self.open = False
            self.connection.forget(self)


class MemoryBroker:
    """Implements `Broker`. Belongs to the event loop that it was made on."""

    def __init__(self, hub: Hub, on_close: Callable[[], None]) -> None:
        self._hub = hub
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._subscriptions: dict[MemorySubscription, None] = {}
        self._pending: list[tuple[MemorySubscription, str, bytes]] = []

    @property
    def max_payload(self) -> int:
        return MAX_PAYLOAD

    # live ---------------------------------------------------------------------------

    async def subscribe(
        self, subject: str, deliver: Deliver, *, lost: Lost | None = None
    ) -> MemorySubscription:
        self._check()
        check_pattern(subject)
        subscription = MemorySubscription(self, subject, deliver)
        self._subscriptions[subscription] = None
        self._hub.routes.add(subject, subscription)
        return subscription

    def publish(self, subject: str, payload: bytes) -> None:
        if not self._open or len(payload) > MAX_PAYLOAD:
            self._check(payload)
        self._hub.publish(subject, payload)

    async def drained(self) -> None:
        self._check()

    def pend(self, subscription: MemorySubscription, subject: str, payload: bytes) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append((subscription, subject, payload))

    def forget(self, subscription: MemorySubscription) -> None:
        self._hub.routes.remove(subscription.pattern, subscription)
        self._subscriptions.pop(subscription, None)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        for subscription, subject, payload in pending:
            if subscription.open:
                try:
                    subscription.deliver(subject, payload)
                except Exception as error:  # noqa: BLE001
                    # A bug of the subscriber is said aloud, without harm to the others.
                    self._loop.call_exception_handler(
                        {"message": f"a subscriber to {subject} raised", "exception": error}
                    )

    def _check(self, payload: bytes = b"") -> None:
        if not self._open:
            raise NotConnected(f"memory://{self._hub.name}", "the connection was closed")
        if len(payload) > MAX_PAYLOAD:
            raise PayloadTooLarge(len(payload), MAX_PAYLOAD)

    # streams ------------------------------------------------------------------------

    async def ensure_stream(self, stream: str, subjects: list[str]) -> None:
        self._check()
        self._hub.ensure_stream(stream, subjects)

    async def streams(self, prefix: str) -> list[str]:
        self._check()
        return sorted(name for name in self._hub.streams if name.startswith(prefix))

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        self._check(payload)
        check_subject(subject)
        log = self._hub.stream(stream)
        return self._hub.append(log, subject, payload, message_id, expected)

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
        try:
            self._check()
            log = self._hub.stream(stream)
            log.check(subject, fence)
            submitted.set_result(self._hub.append(log, subject, payload, message_id, None))
        except BrokerError as error:
            submitted.set_exception(error)
        return submitted

    async def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncIterator[Record]:
        self._check()
        check_pattern(subject)
        async for record in self._hub.stream(stream).read(subject, start, follow):
            yield record

    async def last(self, stream: str, subject: str) -> Record | None:
        self._check()
        check_pattern(subject)
        return self._hub.stream(stream).last(subject)

    async def purge(self, stream: str, subject: str, *, keep: int = 0) -> int:
        self._check()
        check_pattern(subject)
        return self._hub.stream(stream).purge(subject, keep)

    async def room(self, stream: str) -> Room:
        self._check()
        return Room("messages", self._hub.stream(stream).count, 0)

    # work ---------------------------------------------------------------------------

    async def ensure_queue(self, queue: str, *, lease: float | None = None) -> None:
        self._check()
        self._hub.ensure_queue(queue, lease)

    async def lease(self, queue: str) -> float | None:
        self._check()
        found = self._hub.queues.get(token(queue))
        return None if found is None else found.lease

    async def put(
        self, queue: str, payload: bytes, *, topic: str = "", message_id: str | None = None
    ) -> None:
        self._check(payload)
        check_topic(topic)
        self._hub.queue(queue).put(topic, payload, message_id)

    async def take(self, queue: str, *, topic: str = "", timeout: float) -> Item | None:
        self._check()
        check_topic(topic)
        return await self._hub.queue(queue).topic(topic).take(timeout)

    # bounded counters -----------------------------------------------------------------

    async def set_limit(self, counter: str, limit: int, *, window: float | None = None) -> Level:
        before = await self.level(counter)
        now = self._hub.seconds()
        return self._hub.write(counter, levels.limited(counter, before, limit, window, now))

    async def spend(self, counter: str, amount: int) -> Level:
        return self._hub.write(counter, levels.spent(counter, self._level(counter), amount))

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        level = levels.given_back(counter, self._level(counter), amount, epoch)
        return self._hub.write(counter, level)

    async def reserve(self, counter: str, claim: Claim) -> Level:
        return self._hub.write(counter, levels.reserved(counter, self._level(counter), claim))

    async def release(
        self, counter: str, account: str, *, owner: str, epoch: int, used: int
    ) -> Level:
        level = self._level(counter)
        return self._hub.write(counter, levels.released(level, account, owner, epoch, used))

    async def rotate(self, counter: str) -> Level:
        return self._hub.write(counter, levels.rotated(self._level(counter)))

    async def level(self, counter: str) -> Level | None:
        self._check()
        check_subject(counter)
        level = self._hub.levels.get(counter)
        return level and levels.turned(level, self._hub.seconds())

    def _level(self, counter: str) -> Level:
        self._check()
        check_subject(counter)
        level = self._hub.levels.get(counter)
        if level is None:
            raise UnknownCounter(counter)
        return levels.turned(level, self._hub.seconds())

    # end ----------------------------------------------------------------------------

    async def close(self) -> None:
        if not self._open:
            return
        self._flush()
        self._open = False
        for subscription in list(self._subscriptions):
            subscription.end()
        self._on_close()
