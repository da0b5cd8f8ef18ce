"""Streams: made, appended to, and asked for their last record."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from ..contract import DEDUPE_WINDOW, Record
from ..errors import Forbidden, StreamRefused, Unconfirmed, WrongSequence
from ..options import Keeping
from ..room import Room, nearest
from ..subjects import check_pattern, check_subject, covers, joined, matches, token
from . import api as apis
from .api import Ack, Api
from .glance import glance
from .inbox import Delivery, NoAnswer
from .link import Link

_SEQUENCE = re.compile(r"wrong last sequence: (\d+)")
_BETWEEN = 0.05
_PATIENT = 4
"""From which attempt on it is not waited only, when nobody takes a record."""


class Streams:
    """`scoped` is for a connection that may use streams, and only the subjects that are its own,
    but not make them: it takes them for made, and looks at records by their subjects alone."""

    def __init__(
        self,
        link: Link,
        api: Api,
        replicas: int,
        keeping: Mapping[str, Keeping] | None = None,
        *,
        scoped: bool = False,
    ) -> None:
        self._link = link
        self._api = api
        self._replicas = replicas
        self.scoped = scoped
        self._keeping = keeping or {}
        self._wanted: dict[str, list[str]] = {}

    # making -------------------------------------------------------------------------

    async def ensure(self, stream: str, patterns: list[str], **settings: Any) -> None:
        """Create or widen. Two that widen one stream at the same moment can undo each other, as
        JetStream's configuration has no compare-and-set; `append` notices and mends it."""
        token(stream)
        for pattern in patterns:
            check_pattern(pattern)
        self._wanted[stream] = joined([*self._wanted.get(stream, []), *patterns])
        await self.create(stream, self._wanted[stream], **settings)

    async def create(self, stream: str, patterns: list[str], **settings: Any) -> None:
        """As `ensure`, for our own subjects too."""
        if self.scoped:
            return
        while True:
            config = await self.config(stream)
            if config is None:
                fresh = self._fresh(stream, patterns) | settings
                if await self._made(stream, fresh):
                    return
                continue
            captured: list[str] = config["subjects"]
            if all(any(covers(c, p) for c in captured) for p in patterns):
                return
            config["subjects"] = joined([*captured, *patterns])
            await self._api.call(f"STREAM.UPDATE.{stream}", config, stream=stream)

    async def _made(self, stream: str, config: dict[str, Any]) -> bool:
        """False when another process has made it meanwhile, otherwise than we would."""
        try:
            await self._api.call(f"STREAM.CREATE.{stream}", config, stream=stream)
        except StreamRefused:
            if await self.config(stream) is None:
                raise
            return False
        return True

    async def config(self, stream: str) -> dict[str, Any] | None:
        info = await self._info(stream)
        return None if info is None else info["config"]

    async def _info(self, stream: str) -> dict[str, Any] | None:
        try:
            return await self._api.call(f"STREAM.INFO.{stream}", stream=stream)
        except StreamRefused as error:
            if error.status == apis.STREAM_MISSING:
                return None
            raise

    async def names(self) -> list[str]:
        """Of all streams, in order; the server gives a page of them at a time."""
        found: list[str] = []
        while True:
            page = await self._api.call("STREAM.NAMES", {"offset": len(found)}, stream="*")
            names: list[str] = page.get("streams") or []
            found += names
            if not names or len(found) >= page["total"]:
                return sorted(found)

    async def room(self, stream: str) -> Room:
        account = await self._api.call("INFO", stream="(account)")
        limit = account.get("limits", {}).get("max_storage", -1)
        shared = Room("bytes", account.get("storage", 0), max(limit, 0))
        if self.scoped:
            return shared
        info = await self._info(stream)
        if info is None:
            raise missing(stream)
        config, state = info["config"], info["state"]
        own = Room("bytes", state["bytes"], max(config.get("max_bytes", -1), 0))
        count = Room("messages", state["messages"], max(config.get("max_msgs", -1), 0))
        return nearest(own, count, shared)

    def _fresh(self, stream: str, patterns: list[str]) -> dict[str, Any]:
        keeping = self._keeping.get(stream.partition("_")[0], Keeping(forgets=True))
        return {
            "name": stream,
            "subjects": patterns,
            "retention": "limits",
            "storage": "memory" if keeping.memory else "file",
            "discard": "old" if keeping.forgets else "new",
            "max_age": int(keeping.age * 1e9),
            "max_bytes": keeping.size or -1,
            "num_replicas": keeping.replicas or self._replicas,
            "duplicate_window": int((keeping.window or DEDUPE_WINDOW) * 1e9),
        }

    # appending ----------------------------------------------------------------------

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str | None,
        expected: int | None,
    ) -> int:
        check_subject(subject)
        return await self.put(stream, subject, payload, message_id, expected)

    async def put(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str | None,
        expected: int | None,
    ) -> int:
        """As `append`, for our own subjects too.

        Every record has an id: a server whose stream was widened by two at once may listen
        twice on one subject, and would store a record without one twice.
        """
        given = message_id is not None
        message_id = message_id or secrets.token_hex(12)
        headers = {"Nats-Msg-Id": message_id}
        if expected is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        answer, attempts = await self._publish(stream, subject, payload, headers)
        if answer.error is not None:
            refusal = self._refusal(stream, subject, answer, expected)
            # The server looks at the expectation first and at the id only then, so that a
            # retry is refused over the very record that it repeats.
            if isinstance(refusal, WrongSequence) and (given or attempts > 1):
                sequence = await self._stored(refusal, message_id)
                if sequence is not None:
                    return sequence
            raise refusal
        if answer.stream != stream:
            raise StreamRefused(stream, f"it does not capture {subject}, but {answer.stream} does")
        return answer.seq

    async def _publish(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        headers: dict[str, str],
    ) -> tuple[Ack, int]:
        """The answer, and how often it was asked for."""
        deadline = 0.0
        for attempt in itertools.count(1):
            await self._link.connected(apis.PATIENCE)
            with suppress(NoAnswer):
                answer = apis.ack(await self._link.inbox.ask(subject, payload, headers))
                if answer.error is None or not answer.error.may_pass:
                    return answer, attempt
                await self._explain(stream, subject, attempt)
            now = asyncio.get_running_loop().time()
            deadline = deadline or now + apis.PATIENCE
            if now >= deadline:
                if self.scoped:
                    raise missing(stream, scoped=True)
                raise Unconfirmed(f"append to {stream}", apis.PATIENCE)
            await asyncio.sleep(_BETWEEN)
        raise AssertionError("unreachable: the count has no end")

    async def _explain(self, stream: str, subject: str, attempt: int) -> None:
        """Nobody took the record. Return if it may be tried again, else say why not."""
        if self.scoped:
            # Whether it is there is told by what is asked of it; if that is not for us to see, not.
            with suppress(Forbidden):
                await self._glance(stream, subject)
            return
        info = await self._info(stream)
        if info is None:
            raise missing(stream)
        if attempt < _PATIENT:
            return  # A server that begins, or another's `_listen_anew`: over in a moment.
        captured: list[str] = info["config"]["subjects"]
        if any(matches(pattern, subject) for pattern in captured):
            # In a cluster no leader may be elected yet, and updates come one after the other.
            if "name" not in info.get("cluster", {}):
                await self._listen_anew(stream, subject, info["config"])
            return
        wanted = self._wanted.get(stream, [])
        if not any(matches(pattern, subject) for pattern in wanted):
            raise StreamRefused(stream, f"it does not capture {subject}")
        await self.create(stream, wanted)

    async def _listen_anew(self, stream: str, subject: str, config: dict[str, Any]) -> None:
        """Let the server listen to a subject that its configuration has, and it has not.

        Where two updates of a stream cross, one may compare with what the other has replaced, and
        leave off listening to what both have. Taken out and put back, a subject is heard again.
        """
        captured: list[str] = config["subjects"]
        others = [pattern for pattern in captured if not matches(pattern, subject)]
        for subjects in (others or [f"_{stream}"], captured):
            body = config | {"subjects": subjects}
            await self._api.call(f"STREAM.UPDATE.{stream}", body, stream=stream)

    async def _stored(self, refusal: WrongSequence, message_id: str) -> int | None:
        """The sequence of our record, if it is the one that came after what was expected."""
        if self.scoped:
            found = await self._glance(refusal.stream, refusal.subject, refusal.expected + 1)
            same = found is not None and (found.msg.headers or {}).get("Nats-Msg-Id") == message_id
            return found.sequence if found is not None and same else None
        body = {"seq": refusal.expected + 1, "next_by_subj": refusal.subject}
        message = await self._message(refusal.stream, body)
        if message is None:
            return None
        headers = base64.b64decode(message.get("hdrs", "")).decode("utf-8", "replace")
        return message["seq"] if f"Nats-Msg-Id: {message_id}\r\n" in headers else None

    def _refusal(
        self, stream: str, subject: str, answer: Ack, expected: int | None
    ) -> StreamRefused:
        fault = answer.error
        assert fault is not None
        if expected is None or fault.err_code not in apis.WRONG_SEQUENCE:
            return apis.refused(stream, fault.err_code, fault.description)
        found = _SEQUENCE.search(fault.description)
        return WrongSequence(stream, subject, expected, int(found[1]) if found else None)

    # the last record ------------------------------------------------------------------

    async def last(self, stream: str, pattern: str) -> Record | None:
        """Asked of the leader: a direct get may be answered by a replica that lags behind."""
        if self.scoped:
            found = await self._glance(stream, pattern)
            return None if found is None else _record(found)
        message = await self._message(stream, {"last_by_subj": pattern})
        if message is None:
            return None
        return Record(
            subject=message["subject"],
            sequence=message["seq"],
            payload=base64.b64decode(message.get("data", "")),
            time=_nanoseconds(message["time"]),
        )

    async def purge(self, stream: str, pattern: str, keep: int) -> int:
        body = {"filter": pattern} | ({"keep": keep} if keep else {})
        try:
            answer = await self._api.call(f"STREAM.PURGE.{stream}", body, stream=stream)
        except StreamRefused as error:
            raise missing(stream) if error.status == apis.STREAM_MISSING else error from None
        purged: int = answer["purged"]
        return purged

    async def _glance(self, stream: str, pattern: str, start: int | None = None) -> Delivery | None:
        try:
            return await glance(self._link, self._api, stream, pattern, start)
        except StreamRefused as error:
            if error.status == apis.STREAM_MISSING:
                raise missing(stream, scoped=True) from None
            raise

    async def _message(self, stream: str, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            answer = await self._api.call(f"STREAM.MSG.GET.{stream}", body, stream=stream)
        except StreamRefused as error:
            if error.status == apis.MESSAGE_MISSING:
                return None
            if error.status == apis.STREAM_MISSING:
                raise missing(stream) from None
            raise
        message: dict[str, Any] = answer["message"]
        return message


def missing(stream: str, *, scoped: bool = False) -> StreamRefused:
    hint = "call ensure_stream first"
    if scoped:
        hint = "have the streams made: `pavane permissions FILE --prepare`, as the operator"
    return StreamRefused(stream, "there is no such stream", status=apis.STREAM_MISSING, hint=hint)


def _record(found: Delivery) -> Record:
    return Record(found.msg.subject, found.sequence, found.msg.data, found.time)


def _nanoseconds(text: str) -> int:
    """RFC 3339 with up to nine decimals, of which datetime keeps six."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
