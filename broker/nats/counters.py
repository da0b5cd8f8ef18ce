"""Bounded counters: one record per counter, replaced by compare-and-set on its sequence.

A write whose answer was lost is repeated, and refused if it had been stored after all. So a
record also says how far each of its recent writers had come, and a writer that is refused
looks there first whether it was itself that was first.

JetStream's own counters cannot refuse, and compare-and-set collapses when many callers try it
on one key at once. So within a process callers do not compete: those who come while a write is
under way are applied one after another to one level, and written together. Only processes
compete, each with one write, of which one always succeeds.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from time import time

import msgspec
from msgspec.structs import replace
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from .. import level as levels
from ..contract import Claim, Hold, Level
from ..errors import CounterError, StreamRefused, UnknownCounter, WrongSequence
from ..subjects import check_subject
from . import api as apis
from .streams import Streams

STREAM = "PAVANE_COUNTERS"
_PREFIX = "_COUNTERS"
_WRITERS = 64
_SHORTEST_GAP = 0.002
_LONGEST_GAP = 0.1
_TURN = 10
"""How much longer than its gap a process may write without one."""

Step = Callable[[Level | None], Level]


def stored_on(counter: str) -> str:
    """The subject of a counter's record in `STREAM`."""
    return f"{_PREFIX}.{counter}"


class Stored(msgspec.Struct, array_like=True):
    """`writers` are those of the last writes, newest first, each with the number of its last."""

    limit: int
    spent: int
    epoch: int
    writers: list[tuple[bytes, int]]
    held: list[tuple[str, str, int, int]] = []
    window: float = 0.0
    began: float = 0.0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode


class Counter:
    """One counter as this process knows it."""

    def __init__(self, streams: Streams, name: str) -> None:
        self._streams = streams
        self._name = name
        self._subject = stored_on(name)
        self._known: Level | None = None
        self._writers: list[tuple[bytes, int]] = []
        self._writer_id = secrets.token_bytes(8)
        self._written = 0
        self._wrote = 0.0
        self._busy_since = 0.0
        self._gap = _SHORTEST_GAP
        self._waiting: list[tuple[Step, asyncio.Future[Level]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def read(self) -> Level | None:
        """The level as it is now."""
        try:
            record = await self._streams.last(STREAM, self._subject)
        except StreamRefused as error:
            if error.status != apis.STREAM_MISSING:
                raise
            record = None
        if record is None:
            return None
        try:
            stored = _decode(record.payload)
        except msgspec.MsgspecError as error:
            raise CounterError(
                self._name, f"its record cannot be read: {error}", hint="set it up anew"
            ) from None
        held = tuple(Hold(*hold) for hold in stored.held)
        level = Level(
            *(stored.limit, stored.spent, stored.epoch, record.sequence, held),
            *(stored.window, stored.began),
        )
        if self._known is None or self._known.revision < level.revision:
            self._known, self._writers = level, stored.writers
        return level

    async def change(self, step: Step) -> Level:
        """Apply `step` once and return the level after it, or raise what it raises.

        Who is cancelled meanwhile does not know whether it was applied.
        """
        future: asyncio.Future[Level] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name=f"counter {self._name}")
        return await future

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._yield()
                waiting, self._waiting = self._waiting, []
                await self._settle([entry for entry in waiting if not entry[1].done()])
        finally:
            self._writer = None

    async def _yield(self) -> None:
        """Now and then leave others a gap, long enough to read and write in: a process that is
        quicker than another, and never pauses, would win each time."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._wrote > self._gap:
            self._busy_since = now
        elif now - self._busy_since > _TURN * self._gap:
            await asyncio.sleep(self._gap)
            self._busy_since = loop.time()

    async def _settle(self, entries: list[tuple[Step, asyncio.Future[Level]]]) -> None:
        """Apply all of `entries` and answer each, whatever happens."""
        answers: list[Level | Exception] = []
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(WrongSequence),
                wait=wait_random_exponential(multiplier=0.001, max=self._gap),
                reraise=True,
            ):
                with attempt:
                    answers = await self._attempt([step for step, _ in entries])
        except asyncio.CancelledError:
            for _, future in entries:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (raised by those who wait)
            self._known = None
            answers = [error] * len(entries)
        for (_, future), answer in zip(entries, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Level):
                future.set_result(answer)
            else:
                future.set_exception(answer)

    async def _attempt(self, steps: list[Step]) -> list[Level | Exception]:
        """One round over the known level; nobody is refused over one that may be old."""
        before = self._known
        if before is None:
            before = await self.read()
            fresh = True
        else:
            fresh = False
        after, answers = _applied(before, steps)
        if not fresh and any(isinstance(answer, CounterError) for answer in answers):
            before = await self.read()
            after, answers = _applied(before, steps)
        if after is None or after == before:
            return answers
        revision = await self._store(after, 0 if before is None else before.revision)
        return [replace(a, revision=revision) if isinstance(a, Level) else a for a in answers]

    async def _store(self, level: Level, expected: int) -> int:
        """The revision of `level` once stored. Raises `WrongSequence` if it never will be."""
        self._written += 1
        mine = (self._writer_id, self._written)
        writers = [mine, *(w for w in self._writers if w[0] != self._writer_id)][:_WRITERS]
        loop = asyncio.get_running_loop()
        began = loop.time()
        held = [(h.account, h.owner, h.drawn, h.used) for h in level.held]
        payload = _encode(
            Stored(
                *(level.limit, level.spent, level.epoch, writers, held),
                *(level.window, level.began),
            )
        )
        try:
            revision = await self._streams.put(STREAM, self._subject, payload, None, expected)
        except WrongSequence:
            self._known = None
            current = await self.read()
            if current is None or mine not in self._writers:
                raise
            return current.revision
        self._known = replace(level, revision=revision)
        self._writers = writers
        self._wrote = loop.time()
        self._gap = min(max(4 * (self._wrote - began), _SHORTEST_GAP), _LONGEST_GAP)
        return revision


def _applied(
    level: Level | None, steps: list[Step]
) -> tuple[Level | None, list[Level | Exception]]:
    """The level after all steps, and what each came to; a refused one changes nothing."""
    answers: list[Level | Exception] = []
    for step in steps:
        try:
            level = step(level)
        except CounterError as error:
            answers.append(error)
        else:
            answers.append(level)
    return level, answers


class Counters:
    """What is no amount is refused before its step, which others' steps are written with."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._counters: dict[str, Counter] = {}
        self._made = False

    async def set_limit(self, counter: str, limit: int, window: float | None) -> Level:
        levels.checked(limit)
        levels.checked_window(window)
        if not self._made:
            await self._streams.create(
                STREAM, [f"{_PREFIX}.>"], max_msgs_per_subject=1, allow_direct=False
            )
            self._made = True
        return await self._counter(counter).change(
            lambda level: levels.limited(
                counter, level and levels.turned(level, time()), limit, window, time()
            )
        )

    async def spend(self, counter: str, amount: int) -> Level:
        levels.checked(amount)
        return await self._counter(counter).change(
            lambda level: levels.spent(counter, _known(counter, level), amount)
        )

    async def give_back(self, counter: str, amount: int, epoch: int) -> Level:
        levels.checked(amount)
        return await self._counter(counter).change(
            lambda level: levels.given_back(counter, _known(counter, level), amount, epoch)
        )

    async def reserve(self, counter: str, claim: Claim) -> Level:
        levels.amounts_of(claim)
        return await self._counter(counter).change(
            lambda level: levels.reserved(counter, _known(counter, level), claim)
        )

    async def release(self, counter: str, account: str, owner: str, epoch: int, used: int) -> Level:
        levels.checked(used)
        return await self._counter(counter).change(
            lambda level: levels.released(_known(counter, level), account, owner, epoch, used)
        )

    async def rotate(self, counter: str) -> Level:
        return await self._counter(counter).change(
            lambda level: levels.rotated(_known(counter, level))
        )

    async def level(self, counter: str) -> Level | None:
        level = await self._counter(counter).read()
        return level and levels.turned(level, time())

    def _counter(self, name: str) -> Counter:
        if name not in self._counters:
            check_subject(name)
            self._counters[name] = Counter(self._streams, name)
        return self._counters[name]


def _known(counter: str, level: Level | None) -> Level:
    if level is None:
        raise UnknownCounter(counter)
    return levels.turned(level, time())
