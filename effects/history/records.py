"""What a journal is read from: a broker, or an exported file that reads like one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from ...broker.contract import Record

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


async def first_after(records: Records, stream: str, sequence: int) -> Record | None:
    """The first record of the stream that has at least this sequence."""
    found = records.read(stream, start=sequence)
    async for record in found:
        await _closed(found)
        return record
    return None


async def end_of(records: Records, stream: str) -> int:
    """The sequence of the stream's last record, 0 if it is empty: found by bisection, as no
    broker is asked for more than its contract says."""
    low, high = 0, 1
    while await first_after(records, stream, high) is not None:
        low, high = high, high * 8
    while low + 1 < high:
        middle = (low + high) // 2
        if await first_after(records, stream, middle) is not None:
            low = middle
        else:
            high = middle
    return low


async def since(records: Records, stream: str, time: int) -> int:
    """The sequence of the first record that the broker stored at `time` (ns since 1970) or
    later, or of the one to come."""
    low, high = 1, await end_of(records, stream) + 1
    while low < high:
        middle = (low + high) // 2
        record = await first_after(records, stream, middle)
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
