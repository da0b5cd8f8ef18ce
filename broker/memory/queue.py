"""A work queue in memory. Leases run on the event loop's clock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .log import Ids


@dataclass(frozen=True, slots=True)
class Entry:
    """What was put on a queue; `number` counts from 1."""

    number: int
    payload: bytes


class Item:
    """One delivery of an entry; a new one is made each time it is delivered."""

    def __init__(self, topic: Topic, entry: Entry, attempt: int) -> None:
        self._topic = topic
        self._entry = entry
        self._attempt = attempt
        self._lease: asyncio.TimerHandle | None = None
        self._restart()

    @property
    def payload(self) -> bytes:
        return self._entry.payload

    @property
    def attempt(self) -> int:
        return self._attempt

    @property
    def number(self) -> int:
        return self._entry.number

    async def in_progress(self) -> None:
        if self._lease is not None:
            self._lease.cancel()
            self._restart()

    async def done(self) -> None:
        self._end()

    async def again(self, delay: float = 0.0) -> None:
        if not self._end():
            return
        if delay > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(delay, self._topic.offer, self._entry, self._attempt + 1)
        else:
            self._topic.offer(self._entry, self._attempt + 1)

    def _end(self) -> bool:
        """End the lease; False when it had ended already, and so the item is another's."""
        if self._lease is None:
            return False
        self._lease.cancel()
        self._lease = None
        return True

    def _restart(self) -> None:
        loop = asyncio.get_running_loop()
        self._lease = loop.call_later(self._topic.queue.lease, self._expire)

    def _expire(self) -> None:
        self._lease = None
        self._topic.offer(self._entry, self._attempt + 1)


class Queue:
    """Entries by topic. A message id is known in all of them."""

    def __init__(self, lease: float, clock: Callable[[], int]) -> None:
        self.lease = lease
        self._topics: dict[str, Topic] = {}
        self._ids = Ids(clock)
        self._entries = 0

    def topic(self, name: str) -> Topic:
        return self._topics.setdefault(name, Topic(self))

    def put(self, topic: str, payload: bytes, message_id: str | None) -> None:
        if self._ids.get(message_id) is None:
            self._ids.add(message_id, 0)
            self._entries += 1
            self.topic(topic).offer(Entry(self._entries, payload), 1)


class Topic:
    """Entries in order; what comes back goes to the end."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._ready: deque[tuple[Entry, int]] = deque()
        self._takers: deque[asyncio.Future[Item]] = deque()

    def offer(self, entry: Entry, attempt: int) -> None:
        self._ready.append((entry, attempt))
        while self._takers and self._ready:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(Item(self, *self._ready.popleft()))

    async def take(self, timeout: float) -> Item | None:
        if self._ready:
            return Item(self, *self._ready.popleft())
        taker: asyncio.Future[Item] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        try:
            async with asyncio.timeout(timeout):
                return await taker
        except TimeoutError:
            return await self._return(taker)
        except asyncio.CancelledError:
            if (item := await self._return(taker)) is not None:
                await item.again()
            raise

    async def _return(self, taker: asyncio.Future[Item]) -> Item | None:
        """Stop waiting; the item, if one came in the same turn of the loop."""
        if taker in self._takers:
            self._takers.remove(taker)
        return taker.result() if taker.done() and not taker.cancelled() else None
