"""The join of two journals: what one lacks is appended to it, each entry as it was written.

Chains only grow, so the join of two is the longer one if it goes on from the other. Two that
diverged have no join; they are left as they are. Doing it again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ....broker.contract import Broker
from .. import entry as entries
from .. import head as heads
from ..entry import Entry
from ..places import HEADS, JOURNAL, as_heads, as_journal, writer_of
from .comparison import Comparison
from .records import Records, breathing

WINDOW = 512
"""Records that are on their way at once; those of one writer go one after the other."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What a join added."""

    entries: int
    chains: int


async def join(target: Broker, source: Records, pattern: str, found: Comparison) -> Joined:
    """Append to `target` what it lacks of `source`; `found` is target against source.

    The heads of what is added come first, signed by whom they were: a join that is cut off leaves a
    journal that is shorter than they say, and is made whole by another. Raises `WrongSequence`
    if a chain is being written meanwhile.
    """
    behind = {relation.subject: relation.ours for relation in found.of("behind")}
    if not behind:
        return Joined(0, 0)
    limits = {subject: found.theirs.chains[subject][0] for subject in behind}
    await _copy_heads(target, source, pattern, limits)
    appending = _Appending(target, behind)
    async for record in breathing(source.read(JOURNAL, pattern)):
        known = behind.get(record.subject)
        if known is None:
            continue
        unpacked = entries.unpack(writer_of(record.subject), record.payload)
        limit = limits[record.subject]
        if new := [entry for entry in unpacked if known < entry.last <= limit]:
            await appending.add(record.subject, new)
    await appending.flush()
    return Joined(appending.count, len(behind))


class _Appending:
    """Appends in windows: all writers at once, each in order."""

    def __init__(self, target: Broker, behind: Mapping[str, int]) -> None:
        self._target = target
        self._behind = behind
        self._sequences: dict[str, int] = {}
        self._waiting: defaultdict[str, list[list[Entry]]] = defaultdict(list)
        self._size = 0
        self.count = 0

    async def add(self, subject: str, new: list[Entry]) -> None:
        self._waiting[subject].append(new)
        self._size += 1
        self.count += sum([entry.last - entry.number + 1 for entry in new])
        if self._size >= WINDOW:
            await self.flush()

    async def flush(self) -> None:
        waiting, self._size = dict(self._waiting), 0
        self._waiting.clear()
        await asyncio.gather(*(self._append(s, rows) for s, rows in waiting.items()))

    async def _append(self, subject: str, records: list[list[Entry]]) -> None:
        expected = self._sequences.get(subject)
        if expected is None:
            last = await self._target.last(JOURNAL, subject) if self._behind[subject] else None
            expected = last.sequence if last is not None else 0
        for rows in records:
            expected = await self._target.append(
                JOURNAL,
                subject,
                entries.pack(rows),
                message_id=f"join-{rows[-1].hash.hex()}",
                expected=expected,
            )
        self._sequences[subject] = expected


async def _copy_heads(
    target: Broker, source: Records, pattern: str, limits: Mapping[str, int]
) -> None:
    """The furthest head of each chain that was added to, of those that say no more than that."""
    furthest: dict[str, tuple[int, str, bytes]] = {}
    async for record in breathing(source.read(HEADS, as_heads(pattern))):
        subject = as_journal(record.subject)
        if subject not in limits:
            continue
        head = heads.unpack(subject, record.payload)
        if head.count <= limits[subject]:
            furthest[subject] = max(
                (head.count, record.subject, record.payload), furthest.get(subject, (0, "", b""))
            )
    for _, subject, payload in furthest.values():
        await target.append(HEADS, subject, payload)
