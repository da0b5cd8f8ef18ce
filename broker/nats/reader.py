"""Reading a stream in order, with bounded memory, across restarts of the server.

A consumer of our own is pulled from, a batch at a time, into a callback. Every record says
which delivery of its consumer it is; a missing one, a silent server or a reconnect makes a new
consumer behind the last record that was read. A server has a thousand consumers for each stream at
most: so they are deleted, and where the connection may not do that, forgotten soon.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from ..contract import Record
from ..errors import StreamRefused
from .api import NO_RESPONDERS, STREAM_MISSING, Api, status
from .inbox import Delivery
from .library import Msg
from .link import Link
from .streams import missing

_BATCH = 512
_BATCH_BYTES = 4 << 20
_HEARTBEAT = 0.5
_EXPIRES = 20.0
_EXPIRES_SOON = 2.0
"""For a read that has an end: a request outlives it, and its consumer with it."""
_SILENCE = 2.0
_FORGET = 5.0


class Reader:
    """One iteration over the records on `pattern` from `start` on, up to `end` if given. `last` says
    which is the last of them now, as those up to the end may be removed before they are read."""

    def __init__(
        self,
        link: Link,
        api: Api,
        stream: str,
        pattern: str,
        start: int,
        end: int | None,
        last: Callable[[], Awaitable[int]],
        *,
        scoped: bool = False,
    ) -> None:
        self._scoped = scoped
        self._link = link
        self._api = api
        self._stream = stream
        self._pattern = pattern
        self._next = max(start, 1)
        self._end = end
        self._last = last
        self._idle = False
        self._consumer = ""
        self._delivered = 0
        self._reply = ""
        self._outstanding = 0
        self._buffer: deque[Record] = deque()
        self._news = asyncio.Event()
        self._broken = True

    async def records(self) -> AsyncGenerator[Record]:
        stop = self._link.on_back(self._break)
        try:
            while self._end is None or self._next <= self._end:
                while self._buffer:
                    record = self._buffer.popleft()
                    self._next = record.sequence + 1
                    yield record
                    if self._end is not None and record.sequence >= self._end:
                        return
                await self._more()
        finally:
            stop()
            self._leave()

    async def _more(self) -> None:
        """Wait for the next records; the buffer is empty."""
        if self._broken:
            await self._begin()
        if not self._outstanding:
            self._pull()
        self._news.clear()
        if self._buffer or self._broken:
            return
        try:
            async with asyncio.timeout(_SILENCE):
                await self._news.wait()
        except TimeoutError:
            self._break()
        if self._idle and self._end is not None and not self._buffer:
            self._idle = False
            self._end = min(self._end, await self._last())

    async def _begin(self) -> None:
        self._leave()
        self._buffer.clear()
        self._consumer = f"read-{secrets.token_hex(8)}"
        config: dict[str, Any] = {
            "name": self._consumer,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._next,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(_FORGET * 1e9),
        }
        verb = f"CONSUMER.CREATE.{self._stream}.{self._consumer}"
        if self._pattern != ">":
            # In the subject too, so that permissions can tell what is to be read.
            config["filter_subject"] = self._pattern
            verb = f"{verb}.{self._pattern}"
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        try:
            await self._api.call(verb, body, stream=self._stream)
        except StreamRefused as error:
            if error.status == STREAM_MISSING:
                raise missing(self._stream) from None
            raise
        self._delivered = 0
        self._outstanding = 0
        self._broken = False
        self._reply = self._link.inbox.listen(self._on_status)
        self._link.inbox.consume(f"{self._stream}.{self._consumer}", self._on_record)

    def _pull(self) -> None:
        body = {
            "batch": _BATCH,
            "max_bytes": max(_BATCH_BYTES, 2 * self._link.max_payload),
            "expires": int((_EXPIRES if self._end is None else _EXPIRES_SOON) * 1e9),
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
        }
        if not self._link.is_connected:
            self._break()
            return
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        self._link.send(subject, json.dumps(body).encode(), self._reply)
        self._outstanding = _BATCH

    def _on_status(self, msg: Msg) -> None:
        self._news.set()
        code = status(msg)
        # 100 is a heartbeat; with any other the server has ended the pull.
        if code == "100":
            self._idle = True
        else:
            self._outstanding = 0
            self._broken = self._broken or code == NO_RESPONDERS or "onsumer" in reason(msg)

    def _on_record(self, delivery: Delivery) -> None:
        self._news.set()
        self._delivered += 1
        if delivery.number != self._delivered:
            self._break()
        if not self._broken:
            self._outstanding -= 1
            msg = delivery.msg
            self._buffer.append(Record(msg.subject, delivery.sequence, msg.data, delivery.time))

    def _break(self) -> None:
        self._broken = True
        self._news.set()

    def _leave(self) -> None:
        if not self._reply:
            return
        self._link.inbox.unlisten(self._reply)
        self._link.inbox.forgo(f"{self._stream}.{self._consumer}")
        self._reply = ""
        # Who may not delete the consumers of others may delete none: the server forgets ours.
        if not self._scoped and self._link.is_connected:
            self._link.send(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer}", b"")


def reason(msg: Msg) -> str:
    return (msg.headers or {}).get("Description", "")
