"""Entries as they stand in the stream, each checked against the one before as it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection

from ....broker.contract import Record
from ...errors import JournalBroken
from ...identity import Identity
from .. import entry as entries
from .. import head as heads
from .. import series
from ..chain import Chain
from ..entry import Entry
from ..head import Head
from ..places import HEADS, JOURNAL, as_heads, as_journal, head_subject, journal_subject, writer_of
from .records import Records, breathing, end_of, since
from .selection import SLACK, Selection

HEAD_CACHE = 4096
CHAINS_FOLLOWED = 65_536
"""For how many writers a reader that never ends remembers where it was."""

WINDOW = 64


class Chains:
    """How far each writer's entries have been read. `joins`: those of writers not met before
    may begin anywhere, as the reading does. At most `limit` are kept, if there is one."""

    def __init__(self, *, joins: bool = False, limit: int = 0) -> None:
        self.joins = joins
        self._limit = limit
        self._known: dict[str, Chain] = {}

    def follow(self, record: Record) -> tuple[Entry, ...]:
        """The entries of the record, each by itself; raises `JournalBroken` where the chain is broken."""
        subject = record.subject
        writer = writer_of(subject)
        chain = self._known.get(subject)
        try:
            found = entries.unpack(writer, record.payload)
        except ValueError as error:
            place = f"after entry {chain.count}" if chain else f"record {record.sequence}"
            raise JournalBroken(f"{writer.instance}, {place}", str(error)) from None
        if chain is None:
            chain = self._begin(subject, found[0])
        for entry in found:
            fault = chain.follow(entry)
            if fault is not None:
                raise JournalBroken(f"{writer.instance}, entry {fault.number}", fault.message)
        return series.all_of(found)

    def _begin(self, subject: str, first: Entry) -> Chain:
        if self._limit and len(self._known) >= self._limit:
            del self._known[next(iter(self._known))]
        chain = Chain.joined_at(first) if self.joins else Chain.of(subject)
        self._known[subject] = chain
        return chain

    def reached(self, head: Head) -> None:
        """Raises `JournalBroken` for a chain that ends before its head."""
        chain = self._known.get(head.subject)
        count = chain.count if chain else 0
        if count < head.count:
            why = f"it ends at entry {count}, but its head says {head.count}"
            raise JournalBroken(writer_of(head.subject).instance, why)


async def walk(
    records: Records, chosen: Selection, *, start: int = 1, chains: Chains | None = None
) -> AsyncIterator[Entry]:
    """The entries that are chosen, in the order they were stored; raises `JournalBroken` at the
    first that breaks its chain. Holds one chain for each writer."""
    if chosen.since and start == 1:
        start = await since(records, JOURNAL, chosen.pattern, chosen.since - SLACK)
    chains = chains or Chains(joins=start > 1)
    async for record in breathing(records.read(JOURNAL, chosen.pattern, start=start)):
        if chosen.is_over(record.time):
            return
        for entry in chains.follow(record):
            if chosen.takes(entry):
                yield entry


async def facts(
    records: Records, chosen: Selection, trusted: Collection[bytes] | None = None
) -> AsyncIterator[Entry]:
    """The facts that hold and are chosen. Without a period raises `JournalBroken` at the end,
    too, for a chain that is shorter than its head says. Heads count that one of the keys `trusted`
    signed, if there are any."""
    heads = Heads(records, trusted)
    if not chosen.has_period:
        await heads.load(chosen.pattern)
    chains = Chains(joins=bool(chosen.since))
    sent: dict[Identity, int] = {}
    async for entry in walk(records, _any_kind(chosen), chains=chains):
        if entry.kind == "sent":
            sent[entry.writer] = entry.number
        elif (
            entry.kind == "fact"
            and chosen.takes(entry)
            and sent.get(entry.writer, 0) not in await heads.unsent(entry.writer)
        ):
            yield entry
    if not chosen.has_period:
        for head in heads.loaded():
            chains.reached(head)


def _any_kind(chosen: Selection) -> Selection:
    """The same writers and period: a fact is known by the `sent` entry before it."""
    return Selection(chosen.pattern, "", chosen.since, chosen.until)


async def follow(records: Records, chosen: Selection, last: int) -> AsyncIterator[Entry]:
    """The `last` entries that are chosen, then those to come, without end."""
    end = await end_of(records, JOURNAL, chosen.pattern)
    start = end + 1
    chains = Chains(joins=True, limit=CHAINS_FOLLOWED)
    if chosen.since:
        start = await since(records, JOURNAL, chosen.pattern, chosen.since - SLACK)
    elif last and end:
        chains, before = await _last(records, chosen, last, end)
        for entry in before:
            yield entry
    async for record in breathing(records.read(JOURNAL, chosen.pattern, start=start, follow=True)):
        for entry in chains.follow(record):
            if chosen.takes(entry):
                yield entry


async def _last(
    records: Records, chosen: Selection, last: int, end: int
) -> tuple[Chains, list[Entry]]:
    """Looked for in a part of the stream that grows until it has enough of them."""
    size = WINDOW
    while True:
        start = max(end - size + 1, 1)
        found: deque[Entry] = deque(maxlen=last)
        chains = Chains(joins=True, limit=CHAINS_FOLLOWED)
        async for record in breathing(records.read(JOURNAL, chosen.pattern, start=start)):
            if record.sequence > end:
                break
            found.extend(e for e in chains.follow(record) if chosen.takes(e))
        if len(found) == last or start == 1:
            return chains, list(found)
        size *= 8


class Heads:
    """What the writers' heads say, each looked up once and its signature checked."""

    def __init__(self, records: Records, trusted: Collection[bytes] | None = None) -> None:
        self._records = records
        self._trusted = trusted
        self._loaded: dict[str, Head] | None = None
        self._unsent: dict[Identity, frozenset[int]] = {}

    async def load(self, pattern: str) -> None:
        """All heads of these journals at once, where nearly all will be asked for."""
        self._loaded = await furthest(self._records, pattern)

    def loaded(self) -> tuple[Head, ...]:
        return tuple((self._loaded or {}).values())

    async def unsent(self, writer: Identity) -> frozenset[int]:
        """The numbers of the writer's `sent` entries that do not hold."""
        known = self._unsent.get(writer)
        if known is None:
            if len(self._unsent) >= HEAD_CACHE:
                self._unsent.clear()
            known = self._unsent[writer] = frozenset(await self._signed(writer))
        return known

    async def _signed(self, writer: Identity) -> tuple[int, ...]:
        head = await self._of(writer)
        if head is None:
            return ()
        if doubt := head.doubt(self._trusted):
            raise JournalBroken(writer.instance, doubt)
        return head.unsent

    async def _of(self, writer: Identity) -> Head | None:
        subject = journal_subject(writer)
        if self._loaded is not None:
            return self._loaded.get(subject)
        last = await self._records.last(HEADS, head_subject(writer))
        return None if last is None else _head(subject, last.payload)


async def furthest(records: Records, pattern: str) -> dict[str, Head]:
    """The head of each of these journals that says most. Raises `JournalBroken` for one that is none."""
    found: dict[str, Head] = {}
    async for record in breathing(records.read(HEADS, as_heads(pattern))):
        head = _head(as_journal(record.subject), record.payload)
        before = found.get(head.subject)
        if before is None or head.count >= before.count:
            found[head.subject] = head
    return found


def _head(subject: str, data: bytes) -> Head:
    try:
        return heads.unpack(subject, data)
    except ValueError as error:
        raise JournalBroken(writer_of(subject).instance, f"its head: {error}") from None
