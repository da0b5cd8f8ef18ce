"""Work queues: a stream from which each item is removed when its taker is done with it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any

from ..contract import LEASE
from ..errors import BrokerError, StreamRefused, Unconfirmed
from ..subjects import token
from . import api as apis
from .api import Api, status
from .inbox import Delivery, NoAnswer
from .library import Msg
from .link import Link
from .streams import Streams

_LEASE = "pavane-lease"
_PREFIX = 150
"""How much of a topic stands in its consumer's name, which takes at most 255 characters."""
_TAKERS = 65_536
_IDLE = 7 * 24 * 3600
"""Seconds after which the server forgets a topic that nobody takes from; its items stay."""
_GRACE = 0.05
_SHORTEST = 0.01
_BETWEEN = 0.05
_EXPIRED = "408"

Missed = Callable[[], Awaitable[None]]
"""Makes a consumer once more."""


def work_subject(queue: str, topic: str = "") -> str:
    # Begins with `_`, where no namespace can.
    return f"_WORK.{queue}.{topic}" if topic else f"_WORK.{queue}"


def work_consumer(topic: str) -> str:
    if not topic:
        return "workers"
    if len(topic) <= _PREFIX:
        return topic.replace(".", "=")
    digest = blake2b(topic.encode(), digest_size=8).hexdigest()
    return f"{topic[:_PREFIX].replace('.', '=')}={digest}"


class Item:
    def __init__(self, link: Link, delivery: Delivery) -> None:
        self._attempt = delivery.attempt
        self._number = delivery.sequence
        self._payload = delivery.msg.data
        self._ack = delivery.msg.reply
        self._link = link

    @property
    def payload(self) -> bytes:
        return self._payload

    @property
    def attempt(self) -> int:
        return self._attempt

    @property
    def number(self) -> int:
        return self._number

    async def in_progress(self) -> None:
        await self._answer(b"+WPI")

    async def done(self) -> None:
        await self._answer(b"+ACK")

    async def again(self, delay: float = 0.0) -> None:
        body = json.dumps({"delay": int(delay * 1e9)}) if delay > 0 else ""
        await self._link.connected(apis.PATIENCE)
        self._link.send(self._ack, f"-NAK {body}".encode())
        await self._link.fence()

    async def _answer(self, word: bytes) -> None:
        """Say it until the server has heard it, which it may more than once."""
        deadline = asyncio.get_running_loop().time() + apis.PATIENCE
        while True:
            await self._link.connected(apis.PATIENCE)
            try:
                await self._link.inbox.ask(self._ack, word)
            except NoAnswer:
                if asyncio.get_running_loop().time() >= deadline:
                    raise Unconfirmed(f"{word.decode()} of a work item", apis.PATIENCE) from None
            else:
                return


class Takers:
    """Who waits for an item of one queue in this process.

    An item does not say which request it answers, so it goes to whoever waits longest; there
    are always as many requests at the server as there are takers, or more. What comes when
    nobody waits any more is given back at once, and not only when its lease ends.
    """

    def __init__(self, link: Link, queue: str, consumer: str, missed: Missed) -> None:
        self._link = link
        self._missed = missed
        self._missing: asyncio.Task[None] | None = None
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{queue}.{consumer}"
        self._waiting: dict[asyncio.Future[Delivery], float] = {}
        self._requests: deque[float] = deque()
        self._reply = link.inbox.listen(self._on_status)
        link.inbox.consume(f"{queue}.{consumer}", self._on_item)
        link.on_back(self._on_back)

    async def take(self, timeout: float) -> Delivery | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Delivery] = loop.create_future()
        self._waiting[future] = loop.time() + timeout
        self._request()
        try:
            async with asyncio.timeout(timeout + _GRACE):
                return await future
        except TimeoutError:
            return future.result() if _arrived(future) else None
        except asyncio.CancelledError:
            if _arrived(future):
                self._refuse(future.result())
            raise
        finally:
            self._waiting.pop(future, None)

    def _request(self) -> None:
        """Ask for as many items as there are takers, each for as long as the last one waits."""
        now = asyncio.get_running_loop().time()
        while self._requests and self._requests[0] < now:
            self._requests.popleft()
        if not self._link.is_connected or not self._waiting:
            return
        until = max(max(self._waiting.values()), now + _SHORTEST)
        body = json.dumps({"batch": 1, "expires": int((until - now) * 1e9)}).encode()
        while len(self._requests) < len(self._waiting):
            self._requests.append(until)
            self._link.send(self._subject, body, self._reply)

    def _on_item(self, delivery: Delivery) -> None:
        if self._requests:
            self._requests.popleft()
        for future in self._waiting:
            if not future.done():
                del self._waiting[future]
                future.set_result(delivery)
                return
        self._refuse(delivery)

    def _on_status(self, msg: Msg) -> None:
        """A request ended without an item: in time, or because of what happens to servers."""
        if self._requests:
            self._requests.popleft()
        if status(msg) == apis.NO_RESPONDERS and self._missing is None:
            self._missing = asyncio.create_task(self._miss(), name="pavane-consumer")
        delay = 0.0 if status(msg) == _EXPIRED else _BETWEEN
        asyncio.get_running_loop().call_later(delay, self._request)

    async def _miss(self) -> None:
        """Nobody answers: between two leaders of a cluster, or the consumer has gone."""
        try:
            await self._missed()
        except BrokerError:
            # Whoever waits goes on asking, and comes back here.
            await asyncio.sleep(_BETWEEN)
        finally:
            self._missing = None

    def _on_back(self) -> None:
        self._requests.clear()
        self._request()

    def _refuse(self, delivery: Delivery) -> None:
        if self._link.is_connected:
            self._link.send(delivery.msg.reply, b"-NAK")


def _arrived(future: asyncio.Future[Delivery]) -> bool:
    return future.done() and not future.cancelled()


class Work:
    def __init__(self, link: Link, api: Api, streams: Streams) -> None:
        self._link = link
        self._api = api
        self._streams = streams
        self._takers: dict[tuple[str, str], Takers] = {}

    async def ensure(self, queue: str, lease: float | None) -> None:
        """The lease stands in the stream's metadata, for whoever takes from it first."""
        wanted = [work_subject(token(queue)), work_subject(queue, ">")]
        metadata = {_LEASE: f"{LEASE if lease is None else lease:g}"}
        await self._streams.create(queue, wanted, retention="workqueue", metadata=metadata)
        if lease is None or self._streams.scoped:
            return  # In a scoped connection the lease is the operator's to set.
        config = await self._streams.config(queue)
        if config is not None and config.get("metadata", {}).get(_LEASE) != metadata[_LEASE]:
            config["metadata"] = {**config.get("metadata", {}), **metadata}
            await self._api.call(f"STREAM.UPDATE.{queue}", config, stream=queue)
            for known, topic in list(self._takers):
                if known == queue:
                    await self._consume(queue, topic)

    async def lease(self, queue: str) -> float | None:
        config = await self._streams.config(token(queue))
        return None if config is None else _lease_of(config)

    async def put(self, queue: str, payload: bytes, topic: str, message_id: str | None) -> None:
        subject = work_subject(token(queue), topic)
        try:
            await self._streams.put(queue, subject, payload, message_id, None)
        except StreamRefused as error:
            if error.status == apis.STREAM_MISSING:
                raise _missing(queue) from None
            raise

    async def take(self, queue: str, topic: str, timeout: float) -> Item | None:
        if (queue, topic) not in self._takers:
            await self._consume(queue, topic)
            # Not setdefault: while we asked, another taker may have begun.
            if (queue, topic) not in self._takers:
                self._takers[queue, topic] = Takers(
                    self._link, queue, work_consumer(topic), lambda: self._consume(queue, topic)
                )
        delivery = await self._takers[queue, topic].take(timeout)
        return None if delivery is None else Item(self._link, delivery)

    async def _consume(self, queue: str, topic: str) -> None:
        """Make the topic's consumer, which all its takers share. Raises `StreamRefused`."""
        made, lease = 0.0, await self._known_lease(queue)
        while made != lease:
            await self._make_consumer(queue, topic, lease)
            # Another may have set the queue's, and the consumer's, before ours has arrived.
            made, lease = lease, await self._known_lease(queue)

    async def _known_lease(self, queue: str) -> float:
        lease = await self.lease(queue)
        if lease is None:
            raise _missing(queue)
        return lease

    async def _make_consumer(self, queue: str, topic: str, lease: float) -> None:
        config = {
            "name": work_consumer(topic),
            "durable_name": work_consumer(topic),
            "filter_subject": work_subject(queue, topic),
            "ack_policy": "explicit",
            "ack_wait": int(lease * 1e9),
            "deliver_policy": "all",
            "max_deliver": -1,
            # Per consumer, and so for all workers together: 1000 unless it is lifted.
            "max_ack_pending": -1,
            "max_waiting": _TAKERS,
            "num_replicas": 0,
            "inactive_threshold": _IDLE * 10**9,
        }
        body = {"stream_name": queue, "config": config, "action": ""}
        # With the filter in the subject, so that permissions can tell what is to be taken.
        name = work_consumer(topic)
        verb = f"CONSUMER.CREATE.{queue}.{name}.{work_subject(queue, topic)}"
        await self._api.call(verb, body, stream=queue)


def _lease_of(config: Mapping[str, Any]) -> float:
    metadata: Mapping[str, str] = config.get("metadata", {})
    return float(metadata.get(_LEASE, LEASE))


def _missing(queue: str) -> StreamRefused:
    return StreamRefused(queue, "there is no such queue", hint="call ensure_queue first")
