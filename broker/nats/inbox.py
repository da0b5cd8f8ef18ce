"""Answers: one subscription for all of them, each told to whoever asked.

The library's own request costs a task, a timer and half a dozen awaits each; JetStream acks
come several times faster when one callback counts them off. Timeouts are kept by one timer.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..errors import BrokerError, WrongInbox
from .library import Msg

ATTEMPT = 2.0
"""Seconds until an unanswered request counts as lost."""
_SWEEP = 0.25
_ACK = "$JS.ACK."


class Send(Protocol):
    def __call__(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None: ...


class NoAnswer(Exception):
    """Internal: nothing came back in time, or the connection was cut meanwhile."""


class Delivery(NamedTuple):
    """A stream's record as a consumer delivers it; `consumer` is `stream.name`.

    `number` counts what the consumer has delivered, `attempt` how often this record was.
    """

    msg: Msg
    consumer: str
    attempt: int
    sequence: int
    number: int
    time: int

    @classmethod
    def of(cls, msg: Msg) -> Delivery:
        # $JS.ACK.[domain.account.]stream.consumer.attempt.sequence.number.time.pending[.random]
        names = msg.reply.split(".")
        at = 2 if len(names) == 9 else 4
        attempt, sequence, number, time = map(int, names[at + 2 : at + 6])
        return cls(msg, f"{names[at]}.{names[at + 1]}", attempt, sequence, number, time)


class Inbox:
    """`root` is all that credentials must let this connection subscribe to, with `.*` after it."""

    def __init__(self, send: Send, prefix: str) -> None:
        self.root = f"{prefix}.{secrets.token_hex(11)}"
        self.pattern = f"{self.root}.*"
        self._send = send
        self._at = len(self.root) + 1
        self._tokens = itertools.count()
        self._asked: dict[str, tuple[asyncio.Future[Msg], float, str]] = {}
        self._listening: dict[str, Callable[[Msg], None]] = {}
        self._consuming: dict[str, Callable[[Delivery], None]] = {}
        self._sweeping = False
        self._refused: WrongInbox | None = None

    async def ask(
        self,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None = None,
        timeout: float = ATTEMPT,
    ) -> Msg:
        """One request, one answer; raises `NoAnswer`, `Forbidden` or `NotConnected`."""
        if self._refused is not None:
            raise self._refused
        token = self._token()
        future = self._await(token, subject, timeout)
        try:
            self._send(subject, payload, f"{self.root}.{token}", headers)
            return await future
        finally:
            self._asked.pop(token, None)

    async def echo(self, timeout: float) -> None:
        """Send ourselves a message and wait for it; raises `NoAnswer` or `NotConnected`."""
        if self._refused is not None:
            raise NoAnswer(self._refused.message)
        token = self._token()
        future = self._await(token, "", timeout)
        try:
            self._send(f"{self.root}.{token}", b"")
            await future
        finally:
            self._asked.pop(token, None)

    def listen(self, callback: Callable[[Msg], None]) -> str:
        """A reply subject whose messages, any number of them, go to `callback`."""
        token = self._token()
        self._listening[token] = callback
        return f"{self.root}.{token}"

    def unlisten(self, reply: str) -> None:
        self._listening.pop(reply[self._at :], None)

    def consume(self, consumer: str, callback: Callable[[Delivery], None]) -> None:
        """Let `callback` have what `consumer` (`stream.name`) delivers to this inbox."""
        self._consuming[consumer] = callback

    def forgo(self, consumer: str) -> None:
        self._consuming.pop(consumer, None)

    def on_message(self, msg: Msg) -> None:
        token = msg.subject[self._at :]
        asked = self._asked.pop(token, None)
        if asked is not None:
            if not asked[0].done():
                asked[0].set_result(msg)
        elif msg.reply.startswith(_ACK):
            # What a consumer delivers keeps its own subject: only the ack subject tells whose.
            delivery = Delivery.of(msg)
            if (consume := self._consuming.get(delivery.consumer)) is not None:
                consume(delivery)
        elif (callback := self._listening.get(token)) is not None:
            callback(msg)

    def interrupt(self) -> None:
        """The connection is cut: what was asked will not be answered."""
        self._fail(lambda _deadline, _subject: True, NoAnswer("the connection was cut"))

    def deny(self, subject: str, error: BrokerError) -> None:
        """The server does not let us publish on `subject`, which the library has in small letters."""
        if subject == self.pattern.lower():
            self._refused = WrongInbox(self.root)
            self._fail(lambda _deadline, _subject: True, self._refused)
        self._fail(lambda _deadline, asked: asked.lower() == subject, error)

    def _token(self) -> str:
        return f"{next(self._tokens):x}"

    def _await(self, token: str, subject: str, timeout: float) -> asyncio.Future[Msg]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        self._asked[token] = (future, loop.time() + timeout, subject)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(_SWEEP, self._sweep)
        return future

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._fail(lambda deadline, _subject: deadline <= now, NoAnswer("no answer in time"))
        self._sweeping = bool(self._asked)
        if self._sweeping:
            loop.call_later(_SWEEP, self._sweep)

    def _fail(self, chosen: Callable[[float, str], bool], error: Exception) -> None:
        for token, (future, deadline, subject) in list(self._asked.items()):
            if chosen(deadline, subject):
                del self._asked[token]
                if not future.done():
                    future.set_exception(error)
