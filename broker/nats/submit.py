"""Records handed to a stream in order, without waiting: one callback for each ack, no task.

What is not answered is handed over again in the first order and under the same id, after a
reconnect or a while of silence. The server's memory for ids is bounded in time, so this ends
before that does.

A cluster checks one record against a fence at a time and refuses those that come while it does
(error 10164), so that behind a fence of a replicated stream one record goes after the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..contract import DEDUPE_WINDOW, Fence
from ..errors import BrokerError, Fenced, NotConnected, PayloadTooLarge, StreamRefused, Unconfirmed
from ..subjects import check_subject
from . import api as apis
from .library import Msg
from .link import Link

PATIENCE = 0.75 * DEDUPE_WINDOW
"""Seconds after which a record that was never answered is given up."""

SILENCE = 2.0
"""Seconds without an answer after which everything unanswered is handed over again."""

NOBODY = 5.0
"""Seconds that a record is tried while no stream takes it: a cluster may be choosing a leader."""

_ID = "Nats-Msg-Id"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_EXPECTED_ON = "Nats-Expected-Last-Subject-Sequence-Subject"
_BETWEEN = 0.1
_SWEEP = 0.5
_WRONG = 10071
_BUSY = 10164
_CHECKED_LIMIT = 65_536


class Entry:
    """A record on its way. `reply` is empty while it waits for its turn."""

    __slots__ = (
        "fence",
        "future",
        "head",
        "headers",
        "payload",
        "reply",
        "since",
        "stream",
        "subject",
    )

    def __init__(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str,
        fence: Fence | None,
        head: bytes,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.stream = stream
        self.subject = subject
        self.payload = payload
        self.fence = fence
        self.future: asyncio.Future[int] = loop.create_future()
        self.since = loop.time()
        self.reply = ""
        self.head = head
        self.headers = {_ID: message_id}
        if fence is not None:
            self.headers[_EXPECTED] = str(fence.sequence)
            self.headers[_EXPECTED_ON] = fence.subject


class Submitter:
    """One for each connection. `entries` are all that is unanswered, in the order handed over."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._entries: dict[Entry, None] = {}
        self._checked: set[str] = set()
        self._one_by_one: set[str] = set()
        self._waiting: dict[str, deque[Entry]] = {}
        self._heard = 0.0
        self._sweeping = False
        self._again: asyncio.TimerHandle | None = None
        self._closed = False
        self._fence: Fence | None = None
        self._fence_head = _fence_head(None)
        link.on_back(self._hand_over_again)

    def submit(
        self, stream: str, subject: str, payload: bytes, message_id: str, fence: Fence | None
    ) -> asyncio.Future[int]:
        if subject not in self._checked:
            self._check(subject)
        if len(payload) > self._link.max_payload:
            raise PayloadTooLarge(len(payload), self._link.max_payload)
        head = self._head(message_id, fence)
        entry = Entry(stream, subject, payload, message_id, fence, head, self._loop)
        if self._closed:
            entry.future.set_exception(self._gone())
            return entry.future
        if not self._entries:
            self._heard = entry.since
            self._sweep_later()
        self._entries[entry] = None
        if fence is not None and stream in self._one_by_one:
            self._queue(entry, fence)
        else:
            self._hand_over(entry)
        return entry.future

    def _head(self, message_id: str, fence: Fence | None) -> bytes:
        """The headers as they stand on the wire. Raises ValueError for an id of several lines."""
        if not message_id.isprintable():
            raise ValueError(f"{message_id!r} cannot be a message id")
        if fence is not self._fence:
            if fence is not None:
                check_subject(fence.subject)
            self._fence, self._fence_head = fence, _fence_head(fence)
        return self._fence_head + f"{_ID}: {message_id}\r\n\r\n".encode()

    def _check(self, subject: str) -> None:
        check_subject(subject)
        if len(self._checked) >= _CHECKED_LIMIT:
            self._checked.clear()
        self._checked.add(subject)

    # --- out ---------------------------------------------------------------------------

    def _hand_over(self, entry: Entry) -> None:
        """Send it, or leave it for when the connection is back."""
        if not entry.reply:
            entry.reply = self._link.inbox.listen(self._answered_to(entry))
        try:
            self._link.send_headed(
                entry.subject, entry.payload, entry.reply, entry.head, entry.headers
            )
        except NotConnected:
            return
        except BrokerError as error:
            self._end(entry, error)

    def _answered_to(self, entry: Entry) -> Callable[[Msg], None]:
        return lambda msg: self._answered(entry, msg)

    def _queue(self, entry: Entry, fence: Fence) -> None:
        """Let it go when what is before it behind the same fence is answered."""
        waiting = self._waiting.setdefault(fence.subject, deque())
        waiting.append(entry)
        if waiting[0] is entry:
            self._hand_over(entry)

    def _hand_over_again(self) -> None:
        """Everything unanswered once more, in the first order."""
        self._again = None
        self._heard = self._loop.time()
        for entry in list(self._entries):
            if entry.reply:
                self._hand_over(entry)

    def _hand_over_soon(self) -> None:
        if self._again is None:
            self._again = self._loop.call_later(_BETWEEN, self._hand_over_again)

    # --- answers -----------------------------------------------------------------------

    def _answered(self, entry: Entry, msg: Msg) -> None:
        answer = apis.ack(msg)
        fault = answer.error
        self._heard = self._loop.time()
        if fault is None:
            wrong = answer.stream != entry.stream
            self._end(entry, _captured_by(entry, answer.stream) if wrong else None, answer.seq)
        elif fault.err_code == _BUSY and entry.fence is not None:
            self._take_turns(entry, entry.fence)
        elif fault.err_code == _WRONG and entry.fence is not None:
            self._end(entry, Fenced(entry.stream, entry.subject, entry.fence.subject))
        elif fault.may_pass and self._loop.time() - entry.since < NOBODY:
            self._hand_over_soon()
        elif fault.may_pass:
            self._end(entry, StreamRefused(entry.stream, f"it does not capture {entry.subject}"))
        else:
            self._end(entry, apis.refused(entry.stream, fault.err_code, fault.description))

    def _take_turns(self, refused: Entry, fence: Fence) -> None:
        """Let all that is unanswered behind this fence wait for its turn."""
        if refused.stream in self._one_by_one and self._waiting.get(fence.subject):
            self._hand_over_soon()
            return
        self._one_by_one.add(refused.stream)
        behind = [e for e in self._entries if e.fence is not None and e.stream == refused.stream]
        for entry in behind:
            assert entry.fence is not None
            self._waiting.setdefault(entry.fence.subject, deque()).append(entry)
            if entry.reply:
                self._link.inbox.unlisten(entry.reply)
                entry.reply = ""
        self._loop.call_later(_BETWEEN, self._begin_turns)

    def _begin_turns(self) -> None:
        for waiting in list(self._waiting.values()):
            if waiting and not waiting[0].reply:
                self._hand_over(waiting[0])

    def _end(self, entry: Entry, error: BrokerError | None, sequence: int = 0) -> None:
        if self._entries.pop(entry, 0) is None:
            self._link.inbox.unlisten(entry.reply)
            if not entry.future.done():
                if error is None:
                    entry.future.set_result(sequence)
                else:
                    entry.future.set_exception(error)
        if entry.fence is not None and self._waiting:
            self._next(entry, entry.fence)

    def _next(self, entry: Entry, fence: Fence) -> None:
        waiting = self._waiting.get(fence.subject)
        if waiting and waiting[0] is entry:
            waiting.popleft()
            if waiting:
                self._hand_over(waiting[0])
            else:
                del self._waiting[fence.subject]

    # --- silence -----------------------------------------------------------------------

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        now = self._loop.time()
        for entry in list(self._entries):
            if now - entry.since < PATIENCE:
                break
            self._end(entry, Unconfirmed(f"a record on {entry.subject}", PATIENCE))
        if self._entries:
            if now - self._heard > SILENCE and self._link.is_connected:
                self._hand_over_again()
            self._sweep_later()

    def close(self) -> None:
        """The connection is closed for good: nobody will answer."""
        self._closed = True
        for entry in list(self._entries):
            self._end(entry, self._gone())

    def _gone(self) -> NotConnected:
        return NotConnected(self._link.shown, "the connection was closed")


def _fence_head(fence: Fence | None) -> bytes:
    lines = "NATS/1.0\r\n"
    if fence is not None:
        lines += f"{_EXPECTED}: {fence.sequence}\r\n{_EXPECTED_ON}: {fence.subject}\r\n"
    return lines.encode()


def _captured_by(entry: Entry, other: str) -> StreamRefused:
    reason = f"it does not capture {entry.subject}, but {other} does"
    return StreamRefused(entry.stream, reason)
