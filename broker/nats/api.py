"""JetStream's JSON interface: questions to `$JS.API`, and what its answers mean.

The library's own wrappers wait on each call in turn and know neither counters nor batches; the
interface below them is small, documented and stable (NATS ADR-1, ADR-8, ADR-13).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from ..errors import NoJetStream, ServerTooOld, StreamRefused, Unconfirmed
from .inbox import NoAnswer
from .library import Msg
from .link import Link

PATIENCE = 15.0
"""Seconds that an operation goes on trying while servers come and go."""
LEVEL_WANTED = 2
VERSION_WANTED = "2.12"
_BETWEEN = 0.05

NO_RESPONDERS = "503"
STREAM_MISSING = 10059
CONSUMER_MISSING = 10014
MESSAGE_MISSING = 10037
WRONG_SEQUENCE = (10071, 10164)
_NO_JETSTREAM = (10039, 10076)
_UNREADY = (10008, 10023, 10026)
"""System temporarily unavailable; insufficient resources, while a cluster finds itself; as many
consumers as a stream may have, until those of others are gone."""


class Fault(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""

    @property
    def may_pass(self) -> bool:
        """Whether nobody was there to take the record, or not yet; not for a stream that is full,
        which has the same `code`."""
        return self.code == 503 and (not self.err_code or self.err_code in _UNREADY)


class Ack(msgspec.Struct):
    """JetStream's answer to a publish."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: Fault | None = None


_ack = msgspec.json.Decoder(Ack)


def status(msg: Msg) -> str:
    """The status that a message without content carries, or an empty string."""
    return (msg.headers or {}).get("Status", "") if not msg.data else ""


def ack(msg: Msg) -> Ack:
    """The answer in `msg`, or an `Ack` whose fault has the code 503 for nobody there."""
    if status(msg) == NO_RESPONDERS:
        return Ack(error=Fault(code=503, description="no stream captures the subject"))
    try:
        return _ack.decode(msg.data)
    except msgspec.MsgspecError as error:
        return Ack(error=Fault(description=f"an answer that is none: {error}"))


class Api:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def check(self, version: str) -> None:
        """Raise `NoJetStream` or `ServerTooOld` where the server does not do."""
        try:
            info = await self.call("INFO", stream="(account)")
        except StreamRefused as error:
            if error.status in (503, *_NO_JETSTREAM):
                raise NoJetStream(self._link.shown, error.reason) from None
            raise
        # Older servers accept what they do not know, and ignore it: only the level tells.
        if info.get("api", {}).get("level", 0) < LEVEL_WANTED:
            raise ServerTooOld(self._link.shown, version, VERSION_WANTED)

    async def call(self, verb: str, body: object = None, *, stream: str) -> dict[str, Any]:
        """Ask until there is an answer, which every verb used here allows.

        Raises `StreamRefused` with JetStream's own code, `Unconfirmed` or `NotConnected`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        payload = b"" if body is None else json.dumps(body).encode()
        while True:
            await self._link.connected(PATIENCE)
            try:
                msg = await self._link.inbox.ask(f"$JS.API.{verb}", payload)
            except NoAnswer:
                if loop.time() >= deadline:
                    raise Unconfirmed(f"$JS.API.{verb}", PATIENCE) from None
                await asyncio.sleep(_BETWEEN)
                continue
            if status(msg) == NO_RESPONDERS:
                raise StreamRefused(stream, "nobody answers", status=503)
            answer: dict[str, Any] = json.loads(msg.data)
            fault = answer.get("error")
            if fault is None:
                return answer
            if fault.get("err_code") not in _UNREADY or loop.time() >= deadline:
                raise refused(stream, fault.get("err_code", 0), fault.get("description", ""))
            await asyncio.sleep(_BETWEEN)


def refused(stream: str, code: int, description: str) -> StreamRefused:
    return StreamRefused(stream, description or f"error {code}", status=code)
