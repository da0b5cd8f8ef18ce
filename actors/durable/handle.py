"""A durable session as seen from outside: what it came to, where it stands, its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from ...broker.codec import Codec
from ...broker.contract import Broker, Record
from ...broker.errors import BrokerError
from ...broker.payload import unpack
from ...broker.surroundings import now, now_ns
from ...language.errors import PavaneError
from ..errors import of
from ..log import sessions, told
from ..outcome import Outcome, Tally
from . import ends, records
from .children import children_of
from .errors import NoSuchSession, StillRunning
from .history import History, read
from .names import Place
from .purging import purge
from .records import Cancelled, Tallied
from .sealing import Sealing

State = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Status:
    """`ended` of `instances` have come to their ends; `reason` says why a session failed or was
    cancelled. `began` is in seconds since 1970."""

    session: str
    state: State
    instances: int
    ended: int
    began: float
    reason: str = ""


class SessionHandle:
    """Made by `Runtime.start`; good for as long as the connection, not the session's owner:
    any number of processes may hold one, and none has to."""

    def __init__(self, broker: Broker, place: Place, codec: Codec | None = None) -> None:
        self.place = place
        self._broker = broker
        self._sealing = Sealing(codec, place)

    @property
    def id(self) -> str:
        return self.place.session

    async def result(self) -> Outcome:
        """What the session came to, once it has. Raises `SessionFailed` or `PeerFailed` where it
        failed, `SessionCancelled` where it was cancelled, `NoSuchSession`, `Unreadable`."""
        if await self._broker.last(self.place.stream, self.place.operator) is None:
            raise NoSuchSession(self.place.protocol, self.place.session)
        history = History(self.place)
        async with aclosing(self._words()) as words:
            async for record in words:
                history.add(record)
                if history.purged is not None or is_over(history):
                    break
        history.check()
        return outcome(history, self._sealing)

    async def _words(self) -> AsyncGenerator[Record]:
        async for record in self._broker.read(self.place.stream, self.place.words, follow=True):
            yield record

    async def _history(self) -> History:
        """What was said to the session so far."""
        return await read(self._broker, self.place, self.place.words)

    async def cancel(self, reason: str = "cancelled") -> None:
        """End the session: every role hears at its next step. Does nothing once it is over. The
        sessions that its roles have handed their work on to end with it."""
        word = records.pack(Cancelled(reason[:1000], now()))
        await self._broker.append(
            self.place.stream,
            self.place.operator,
            word,
            message_id=f"{self.place.operator}.{now_ns()}",
        )
        await dismiss(self._broker, await children_of(self._broker, self.place), reason)

    async def status(self) -> Status:
        """Where it stands. Raises `NoSuchSession`."""
        history = await self._history()
        begun = history.check()
        state, reason = _state(history)
        count = sum(stop - start for _, start, stop in begun.blocks)
        return Status(self.id, state, count, len(history.ended), begun.time, reason)

    async def purge(self) -> int:
        """Remove the log of the session once it is over, and say how many records there were. Then
        nobody can ask any more what it came to; nor can it be started again.

        Raises `StillRunning`, `NoSuchSession`, `SessionPurged`.
        """
        history = await self._history()
        begun = history.check()
        if not is_over(history):
            raise StillRunning(self.id)
        return await purge(self._broker, self.place, begun)

    async def wait(self, seconds: float) -> Outcome:
        """As `result`; raises `TimeoutError` when that takes longer."""
        async with asyncio.timeout(seconds):
            return await self.result()


def is_over(history: History) -> bool:
    """Whether nothing more will happen in the session."""
    return _state(history)[0] != "running"


def _state(history: History) -> tuple[State, str]:
    begun = history.started
    if begun is not None and all((role, start) in history.done for role, start, _ in begun.blocks):
        return "done", ""
    if history.failed is not None:
        return "failed", of(history.failed.instance, history.failed.reason)
    if history.cancelled is not None:
        return "cancelled", history.cancelled.reason
    return "running", ""


def outcome(history: History, sealing: Sealing) -> Outcome:
    """What the log says the session came to; raises what it says ended it."""
    session = history.place.session
    state, _ = _state(history)
    if state != "done":
        word = history.failed or history.cancelled
        assert word is not None, "it is still running"
        raise ends.ended(session, word)
    begun = history.started
    assert begun is not None
    families = {role for role, start, stop in begun.blocks if start or stop > 1}
    ended = opened(history.ended, sealing)
    return summed(session, ended, families | begun.bindings.keys())


async def dismiss(broker: Broker, children: Iterable[Place], reason: str) -> None:
    """Cancel those that are running. Raises a `BrokerError` that may pass."""
    for place in children:
        handle = SessionHandle(broker, place)
        try:
            if (await handle.status()).state == "running":
                await handle.cancel(reason)
        except NoSuchSession:
            continue
        except PavaneError as error:
            if isinstance(error, BrokerError) and error.retryable:
                raise
            sessions.warning("session %s is left to an operator: %s", place.session, told(error))


def opened(
    ended: Mapping[tuple[str, int], Tallied], sealing: Sealing
) -> dict[tuple[str, int], Tallied]:
    """With the values as they were. Raises `Unreadable`."""
    return {who: sealing.tallied(who, tallied) for who, tallied in ended.items()}


def summed(session: str, ended: Mapping[tuple[str, int], Tallied], families: set[str]) -> Outcome:
    values: dict[str, Any] = {}
    tallies: dict[str, Tally] = {}
    for (role, index), tallied in sorted(ended.items()):
        value = unpack(tallied.value)
        if role in families:
            values.setdefault(role, {})[index] = value
        else:
            values[role] = value
        name = f"{role}[{index}]" if role in families else role
        tallies[name] = _tally(tallied)
    return Outcome(session, values, tallies)


def _tally(tallied: Tallied) -> Tally:
    return Tally(
        tallied.sent, tallied.received, tallied.charged, list(tallied.facts), list(tallied.denials)
    )
