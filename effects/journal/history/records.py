"""What a journal is read from: a broker, or an exported file that reads like one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from ....broker.contract import Record

BREATH = 128
"""Records between two turns of the event loop."""


class Records(Protocol):
    """The reading verbs of the broker contract; see there."""

    def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncIterator[Record]: ...

    async def last(self, stream: str, subject: str) -> Record | None: ...


async def breathing(records: AsyncIterator[Record]) -> AsyncIterator[Record]:
    """The same records, with a turn for the connection now and then: what has arrived is read
    without waiting, and a connection that is never served is cut by the server."""
    count = 0
    async for record in records:
        count += 1
        if count % BREATH == 0:
            await asyncio.sleep(0)
        yield record


async def first_after(records: Records, stream: str, pattern: str, sequence: int) -> Record | None:
    """The first record on `pattern` that has at least this sequence. Whoever may read only some
    subjects may not ask for others, here and below."""
    found = records.read(stream, pattern, start=sequence)
    async for record in found:
        await _closed(found)
        return record
    return None


async def end_of(records: Records, stream: str, pattern: str) -> int:
    """The sequence of the last record on `pattern`, 0 if there is none: found by bisection, as
    no broker is asked for more than its contract says."""
    low, high = 0, 1
    while await first_after(records, stream, pattern, high) is not None:
        low, high = high, high * 8
    while low + 1 < high:
        middle = (low + high) // 2
        if await first_after(records, stream, pattern, middle) is not None:
            low = middle
        else:
            high = middle
    return low


async def since(records: Records, stream: str, pattern: str, time: int) -> int:
    """A sequence behind all records on `pattern` that the broker stored before `time` (ns since
    1970), and before all others."""
    low, high = 1, await end_of(records, stream, pattern) + 1
    while low < high:
        middle = (low + high) // 2
        record = await first_after(records, stream, pattern, middle)
        if record is None or record.time >= time:
            high = middle
        else:
            low = record.sequence + 1
    return low


async def _closed(iterator: AsyncIterator[Record]) -> None:
    """End a generator now, since whoever leaves it behind leaves its consumer on the server."""
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
