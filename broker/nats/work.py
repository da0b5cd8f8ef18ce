"""Work queues: a stream from which each item is removed when its taker is done with it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..errors import NotConnected, StreamRefused, Unconfirmed
from ..subjects import token
from . import api as apis
from .api import Api, status
from .inbox import NoAnswer
from .library import Msg
from .link import Link
from .streams import Streams

_CONSUMER = "workers"
_TAKERS = 65_536
_GRACE = 0.5


def _subject(queue: str) -> str:
    # Begins with `_`, where no namespace can.
    return f"_WORK.{queue}"


class Item:
    def __init__(self, link: Link, msg: Msg) -> None:
        names = msg.reply.split(".")
        self._attempt = int(names[4 if len(names) == 9 else 6])
        self._payload = msg.data
        self._ack = msg.reply
        self._link = link

    @property
    def payload(self) -> bytes:
        return self._payload

    @property
    def attempt(self) -> int:
        return self._attempt

    async def in_progress(self) -> None:
        await self._answer(b"+WPI")

    async def done(self) -> None:
        await self._answer(b"+ACK")

    async def again(self, delay: float = 0.0) -> None:
        self.give_back(delay)
        await self._link.fence()

    def give_back(self, delay: float = 0.0) -> None:
        body = json.dumps({"delay": int(delay * 1e9)}) if delay > 0 else ""
        self._link.send(self._ack, f"-NAK {body}".encode())

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


class Take:
    """One request for one item, asked again when the connection was cut. What comes after we
    stopped waiting is given back at once, and not only when its lease ends."""

    def __init__(self, link: Link, queue: str) -> None:
        self._link = link
        self._queue = queue
        self._future: asyncio.Future[Msg | None] = asyncio.get_running_loop().create_future()
        self._reply = ""

    async def wait(self, timeout: float) -> Msg | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        stop = self._link.on_back(lambda: self._resolve(None))
        self._reply = self._link.inbox.listen(self._on_message)
        left = timeout
        try:
            while True:
                self._future = loop.create_future()
                self._ask(left)
                try:
                    async with asyncio.timeout(max(left, 0.0) + _GRACE):
                        msg = await self._future
                except TimeoutError:
                    msg = self._future.result() if self._settled() else None
                left = deadline - loop.time()
                if msg is not None or left <= 0:
                    return msg
                await self._pause(left)
        except asyncio.CancelledError:
            if self._settled() and (msg := self._future.result()) is not None:
                self._refuse(msg)
            raise
        finally:
            stop()
            self._linger(max(deadline - loop.time(), 0.0) + _GRACE)

    def _settled(self) -> bool:
        return self._future.done() and not self._future.cancelled()

    def _ask(self, left: float) -> None:
        body: dict[str, Any] = {"batch": 1}
        if left > 0:
            body["expires"] = max(int(left * 1e9), 1_000_000)
        else:
            body["no_wait"] = True
        if self._link.is_connected:
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._queue}.{_CONSUMER}"
            self._link.send(subject, json.dumps(body).encode(), self._reply)

    async def _pause(self, left: float) -> None:
        """Before asking again: the pull ended early, as it does while servers come and go."""
        await asyncio.sleep(min(0.02, left))
        if not self._link.is_connected:
            try:
                await self._link.connected(left)
            except NotConnected:
                return

    def _on_message(self, msg: Msg) -> None:
        if status(msg):
            self._resolve(None)
        elif self._future.done():
            self._refuse(msg)
        else:
            self._future.set_result(msg)

    def _resolve(self, msg: Msg | None) -> None:
        if not self._future.done():
            self._future.set_result(msg)

    def _refuse(self, msg: Msg) -> None:
        if self._link.is_connected:
            Item(self._link, msg).give_back()

    def _linger(self, seconds: float) -> None:
        """The server may still answer until the request expires."""
        inbox, reply = self._link.inbox, self._reply
        asyncio.get_running_loop().call_later(seconds, inbox.unlisten, reply)


class Work:
    def __init__(self, link: Link, api: Api, streams: Streams) -> None:
        self._link = link
        self._api = api
        self._streams = streams
        self._known: set[str] = set()

    async def ensure(self, queue: str, lease: float) -> None:
        token(queue)
        await self._streams.create(queue, [_subject(queue)], retention="workqueue")
        config = {
            "durable_name": _CONSUMER,
            "ack_policy": "explicit",
            "ack_wait": int(lease * 1e9),
            "deliver_policy": "all",
            "max_deliver": -1,
            # Per consumer, and so for all workers together: 1000 unless it is lifted.
            "max_ack_pending": -1,
            "max_waiting": _TAKERS,
            "num_replicas": 0,
        }
        body = {"stream_name": queue, "config": config}
        verb = f"CONSUMER.DURABLE.CREATE.{queue}.{_CONSUMER}"
        await self._api.call(verb, body, stream=queue)

    async def put(self, queue: str, payload: bytes, message_id: str | None) -> None:
        try:
            await self._streams.put(queue, _subject(token(queue)), payload, message_id, None)
        except StreamRefused as error:
            if error.status == apis.STREAM_MISSING:
                raise _missing(queue) from None
            raise

    async def take(self, queue: str, timeout: float) -> Item | None:
        if queue not in self._known:
            await self._know(queue)
        await self._link.connected(apis.PATIENCE)
        msg = await Take(self._link, queue).wait(timeout)
        return None if msg is None else Item(self._link, msg)

    async def _know(self, queue: str) -> None:
        if await self._streams.config(token(queue)) is None:
            raise _missing(queue)
        self._known.add(queue)


def _missing(queue: str) -> StreamRefused:
    return StreamRefused(queue, "there is no such queue", hint="call ensure_queue first")
