"""`Broker` on NATS: each verb goes to the part that knows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from ..contract import Claim, Deliver, Fence, Level, Lost, Record
from ..options import ConnectOptions
from ..room import Room
from ..subjects import check_pattern, check_topic, token
from . import address as addresses
from .api import Api
from .counters import Counters
from .link import Link, LinkSubscription
from .reader import Reader
from .streams import Streams
from .submit import Submitter
from .work import Item, Work


class NatsBroker:
    """Implements `Broker`. `owned` is ended after the connection (an embedded server)."""

    def __init__(
        self, link: Link, api: Api, options: ConnectOptions, owned: AsyncExitStack
    ) -> None:
        scoped = options.is_scoped
        self._link = link
        self._api = api
        self._streams = Streams(link, api, options.replicas, options.keeping, scoped=scoped)
        self._scoped = scoped
        self._work = Work(link, api, self._streams)
        self._submitter = Submitter(link)
        self._counters = Counters(self._streams)
        self._owned = owned
        self.publish = link.publish  # and not a method, which is a call more for every message

    @property
    def address(self) -> str:
        """The server's address, without credentials."""
        return self._link.shown

    @property
    def max_payload(self) -> int:
        return self._link.max_payload

    # live ---------------------------------------------------------------------------

    async def subscribe(
        self, subject: str, deliver: Deliver, *, lost: Lost | None = None
    ) -> LinkSubscription:
        check_pattern(subject)
        return await self._link.subscribe(subject, deliver, lost)

    async def drained(self) -> None:
        await self._link.fence()

    # streams ------------------------------------------------------------------------

    async def ensure_stream(self, stream: str, subjects: list[str]) -> None:
        await self._streams.ensure(stream, subjects)

    async def streams(self, prefix: str) -> list[str]:
        return [name for name in await self._streams.names() if name.startswith(prefix)]

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        return await self._streams.append(stream, subject, payload, message_id, expected)

    def submit(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        fence: Fence | None = None,
    ) -> asyncio.Future[int]:
        return self._submitter.submit(stream, subject, payload, message_id, fence)

    async def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncGenerator[Record]:
        check_pattern(subject)
        token(stream)
        end: int | None = None
        if not follow:
            last = await self._streams.last(stream, subject)
            if last is None or last.sequence < start:
                return
            end = last.sequence

        async def still_last() -> int:
            found = await self._streams.last(stream, subject)
            return 0 if found is None else found.sequence

        reader = Reader(
            self._link, self._api, stream, subject, start, end, still_last, scoped=self._scoped
        )
        async with aclosing(reader.records()) as records:
            async for record in records:
                yield record

    async def last(self, stream: str, subject: str) -> Record | None:
        check_pattern(subject)
        return await self._streams.last(token(stream), subject)

    async def purge(self, stream: str, subject: str, *, keep: int = 0) -> int:
        check_pattern(subject)
        return await self._streams.purge(token(stream), subject, keep)

    async def room(self, stream: str) -> Room:
        return await self._streams.room(token(stream))

    # work ---------------------------------------------------------------------------

    async def ensure_queue(self, queue: str, *, lease: float | None = None) -> None:
        await self._work.ensure(queue, lease)

    async def lease(self, queue: str) -> float | None:
        return await self._work.lease(queue)

    async def put(
        self, queue: str, payload: bytes, *, topic: str = "", message_id: str | None = None
    ) -> None:
        check_topic(topic)
        await self._work.put(queue, payload, topic, message_id)

    async def take(self, queue: str, *, topic: str = "", timeout: float) -> Item | None:
        check_topic(topic)
        return await self._work.take(queue, topic, timeout)

    # bounded counters -----------------------------------------------------------------

    async def set_limit(self, counter: str, limit: int, *, window: float | None = None) -> Level:
        return await self._counters.set_limit(counter, limit, window)

    async def spend(self, counter: str, amount: int) -> Level:
        return await self._counters.spend(counter, amount)

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        return await self._counters.give_back(counter, amount, epoch)

    async def reserve(self, counter: str, claim: Claim) -> Level:
        return await self._counters.reserve(counter, claim)

    async def release(
        self, counter: str, account: str, *, owner: str, epoch: int, used: int
    ) -> Level:
        return await self._counters.release(counter, account, owner, epoch, used)

    async def rotate(self, counter: str) -> Level:
        return await self._counters.rotate(counter)

    async def level(self, counter: str) -> Level | None:
        return await self._counters.level(counter)

    # end ----------------------------------------------------------------------------

    async def close(self) -> None:
        try:
            await self._link.close()
        finally:
            self._submitter.close()
            await self._owned.aclose()


async def open_nats(url: str, options: ConnectOptions, owned: AsyncExitStack) -> NatsBroker:
    """Takes over what is in `owned`, once it succeeds. Raises `InsecureAddress`, `ServerUnreachable`, `NoJetStream` or `ServerTooOld`."""
    link = Link(addresses.parse(url), options)
    await link.open()
    api = Api(link)
    try:
        await api.check(link.version)
    except BaseException:
        await link.close()
        raise
    return NatsBroker(link, api, options, owned.pop_all())
