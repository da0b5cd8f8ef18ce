"""Dead letters: units that nobody could play, with the reason, until an operator puts them back.

A unit is dead when its workers have died of it again and again, or when the code that is to play
it departs from its log. Its session is neither failed nor lost: it waits, and goes on when the
unit is put back on the queue, by `revive` or `pavane retry`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from ...broker.contract import Broker, Record
from ...broker.errors import StreamRefused
from ..durable.assignment import Assignment, unpacked
from . import places
from .queueing import enqueue


class Buried(msgspec.Struct, array_like=True, frozen=True, tag="buried"):
    """`attempts` is how often the unit was taken since it was last put on the queue."""

    assignment: bytes
    topic: str
    code: str
    reason: str
    attempts: int
    worker: str
    time: float


class Revived(msgspec.Struct, array_like=True, frozen=True, tag="revived"):
    attempt: int
    time: float


_decoder: msgspec.msgpack.Decoder[Buried | Revived] = msgspec.msgpack.Decoder(Buried | Revived)
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A unit that waits for an operator. `time` is in seconds since 1970."""

    assignment: Assignment
    topic: str
    code: str
    reason: str
    attempts: int
    worker: str
    time: float

    @property
    def subject(self) -> str:
        a = self.assignment
        return places.dead_letter(a.namespace, a.protocol, a.role, a.start, a.session)


async def bury(
    broker: Broker,
    assignment: Assignment,
    *,
    topic: str,
    code: str,
    reason: str,
    attempts: int,
    worker: str,
) -> None:
    """Record that nobody can play this; once for each time that it was put on the queue."""
    said = Buried(assignment.pack(), topic, code, reason, attempts, worker, time.time())
    letter = DeadLetter(assignment, topic, code, reason, attempts, worker, said.time)
    await _append(broker, letter, _encoder.encode(said), f"buried.{assignment.attempt}")


async def revive(broker: Broker, letter: DeadLetter) -> Assignment:
    """Put the unit back on the queue."""
    again = msgspec.structs.replace(letter.assignment, attempt=letter.assignment.attempt + 1)
    await enqueue(broker, [again], {again.role: letter.topic})
    said = _encoder.encode(Revived(again.attempt, time.time()))
    await _append(broker, letter, said, f"revived.{again.attempt}")
    return again


async def letters(
    broker: Broker, namespace: str, session: str = "*", protocol: str = "*"
) -> list[DeadLetter]:
    """Those that wait, the oldest first."""
    waiting: dict[str, DeadLetter] = {}
    pattern = places.dead_letters(namespace, session, protocol)
    async for record in _read(broker, places.dead(namespace), pattern):
        said = _decoder.decode(record.payload)
        if isinstance(said, Revived):
            waiting.pop(record.subject, None)
        else:
            unit = unpacked(said.assignment)
            waiting[record.subject] = DeadLetter(
                unit, said.topic, said.code, said.reason, said.attempts, said.worker, said.time
            )
    return sorted(waiting.values(), key=lambda letter: letter.time)


async def _append(broker: Broker, letter: DeadLetter, payload: bytes, what: str) -> None:
    namespace = letter.assignment.namespace
    stream = places.dead(namespace)
    await broker.ensure_stream(stream, [places.dead_letters(namespace)])
    await broker.append(stream, letter.subject, payload, message_id=f"{letter.subject}.{what}")


async def _read(broker: Broker, stream: str, pattern: str) -> AsyncIterator[Record]:
    try:
        async for record in broker.read(stream, pattern):
            yield record
    except StreamRefused:
        # Nothing has ever died here.
        return
