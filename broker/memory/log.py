"""A stream in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from ..contract import DEDUPE_WINDOW, Fence, Record
from ..errors import Fenced, StreamRefused, WrongSequence
from ..subjects import matches


class Ids:
    """Message ids seen in the last `DEDUPE_WINDOW` seconds, and what they stood for."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, int]] = {}

    def get(self, message_id: str | None) -> int | None:
        self._forget()
        entry = None if message_id is None else self._seen.get(message_id)
        return None if entry is None else entry[1]

    def add(self, message_id: str | None, sequence: int) -> None:
        if message_id is not None:
            self._seen[message_id] = (self._clock(), sequence)

    def _forget(self) -> None:
        horizon = self._clock() - int(DEDUPE_WINDOW * 1e9)
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest][0] >= horizon:
                return
            del self._seen[oldest]


class Log:
    """The records of one stream, kept until they are purged or the hub goes."""

    def __init__(self, name: str, clock: Callable[[], int]) -> None:
        self.name = name
        self.patterns: list[str] = []
        self._clock = clock
        self._records: list[Record | None] = []
        self._last: dict[str, Record] = {}
        self._purged = 0
        self._ids = Ids(clock)
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def count(self) -> int:
        return len(self._records) - self._purged

    def captures(self, subject: str) -> bool:
        return any(matches(pattern, subject) for pattern in self.patterns)

    def append(
        self, subject: str, payload: bytes, message_id: str | None, expected: int | None
    ) -> tuple[int, bool]:
        """The sequence, and whether the record is new."""
        if not self.captures(subject):
            raise StreamRefused(self.name, f"it does not capture {subject}")
        if (before := self._ids.get(message_id)) is not None:
            return before, False
        last = self._last.get(subject)
        actual = 0 if last is None else last.sequence
        if expected is not None and expected != actual:
            raise WrongSequence(self.name, subject, expected, actual)
        record = Record(subject, len(self._records) + 1, payload, self._clock())
        self._records.append(record)
        self._last[subject] = record
        self._ids.add(message_id, record.sequence)
        self._wake()
        return record.sequence, True

    def check(self, subject: str, fence: Fence | None) -> None:
        """Raise `Fenced` unless the fence stands where its writer thinks."""
        if fence is None:
            return
        last = self._last.get(fence.subject)
        if fence.sequence != (0 if last is None else last.sequence):
            raise Fenced(self.name, subject, fence.subject)

    def accept(self, subject: str, payload: bytes) -> None:
        """Store what was published live on a captured subject."""
        self.append(subject, payload, None, None)

    def last(self, pattern: str) -> Record | None:
        if pattern in self._last:
            return self._last[pattern]
        found = [record for subject, record in self._last.items() if matches(pattern, subject)]
        return max(found, key=lambda record: record.sequence, default=None)

    def purge(self, pattern: str, keep: int) -> int:
        found = [r for r in self._records if r is not None and matches(pattern, r.subject)]
        gone = found[: len(found) - keep] if keep < len(found) else []
        for record in gone:
            self._records[record.sequence - 1] = None
            if self._last[record.subject] is record:
                del self._last[record.subject]
        self._purged += len(gone)
        return len(gone)

    async def read(self, pattern: str, start: int, follow: bool) -> AsyncIterator[Record]:
        at, end = max(start, 1) - 1, len(self._records)
        while True:
            while at < (len(self._records) if follow else end):
                record = self._records[at]
                at += 1
                if record is not None and matches(pattern, record.subject):
                    yield record
            if not follow:
                return
            await self._grown()

    async def _grown(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
