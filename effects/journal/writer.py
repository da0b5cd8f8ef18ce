"""A writer of the journal: one role instance's chain, appended record by record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, TypeVar

from ...broker.contract import Broker, Record
from ...broker.errors import BrokerError, NotConnected, Unconfirmed, WrongSequence
from ..errors import JournalBroken
from ..identity import Identity
from ..keys import Signer
from . import entry as entries
from . import head as heads
from .entry import Draft, Entry
from .head import Head
from .history.records import breathing
from .history.walking import Chains
from .places import HEADS, JOURNAL, head_subject, journal_subject

PATIENCE = 10.0
"""Seconds that an append is tried again while the broker does not answer."""

PAUSE = 0.1
HEAD_INTERVAL = 0.2
"""Seconds between two heads of a busy writer; one more is written at its end."""

BATCH = 768
"""The most entries in one record: some 200 KiB."""

T = TypeVar("T")

_Waiting = tuple[list[Entry], asyncio.Future[None]]


class Writer:
    """Owned by a `Journal`; `finish` ends it.

    Entries are chained at once, in the order of `add`, and appended with all that was
    added in the same turn of the event loop. The stream's expected sequence fences a second
    writer. A writer that could not append is broken for good.
    """

    def __init__(
        self, broker: Broker, signer: Signer, writer: Identity, clock: Callable[[], int]
    ) -> None:
        self.identity = writer
        self.subject = journal_subject(writer)
        self.count = 0
        self.hash = entries.first_hash(self.subject)
        self._broker = broker
        self._signer = signer
        self._clock = clock
        self._sequence = 0
        self._unsent: list[int] = []
        self._queue: list[_Waiting] = []
        self._flight: list[_Waiting] = []
        self._open: _Waiting | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._heading: asyncio.Task[None] | None = None
        self._stored = (0, self.hash)
        self._headed = 0
        self._head_sequence = 0
        self._is_announced = False
        self._has_written = False
        self._head_lock = asyncio.Lock()
        self._broken: JournalBroken | None = None
        self.before: Callable[[], None] | None = None
        """Called once, before anything else is added: somebody counts what has its place here."""

    async def resume(self) -> None:
        """Go on after what this instance wrote before, whichever process did.

        Two that do so at once both begin at the same entry; the first to append goes on, the
        other is fenced at its next `add`. Raises `JournalBroken` for a chain that is shorter
        than its head says or departs from it, and for a head whose signature does not fit.
        """
        head = await self._last_head()
        last = await self._broker.last(JOURNAL, self.subject)
        end = self._end_of(last)
        count = end.last if end else 0
        if head is not None and head.count > count:
            self._refuse(f"it ends at entry {count}, but its head says {head.count}")
        self._unsent = list(head.unsent) if head else []
        if last is not None and end is not None:
            if head is None or head.count < count:
                await self._behind_head(head)
            elif head.hash != end.hash:
                self._refuse(f"entry {count} is not the one that its head says")
            self.count, self.hash, self._sequence = end.last, end.hash, last.sequence
            self._stored = (end.last, end.hash)
        self._headed = head.count if head else 0
        self._is_announced = head is not None and not head.closed

    async def _last_head(self) -> Head | None:
        known = await self._broker.last(HEADS, head_subject(self.identity))
        self._head_sequence = known.sequence if known is not None else 0
        if known is None:
            return None
        try:
            head = heads.unpack(self.subject, known.payload)
        except ValueError as error:
            self._refuse(str(error))
        if not head.is_signed:
            self._refuse("its head's signature does not fit")
        return head

    def _end_of(self, last: Record | None) -> Entry | None:
        try:
            return entries.unpack(self.identity, last.payload)[-1] if last else None
        except ValueError as error:
            self._refuse(str(error))

    async def _behind_head(self, head: Head | None) -> None:
        """The last writer was ended before it wrote its head: check what it left, and keep the
        marks that its next head would have had."""
        chains = Chains()
        async for record in breathing(self._broker.read(JOURNAL, self.subject)):
            for entry in chains.follow(record):
                if head is not None and entry.number == head.count and entry.hash != head.hash:
                    self._refuse(f"entry {entry.number} is not the one that its head says")
                if entry.kind == "unsent" and entry.count not in self._unsent:
                    self._unsent.append(entry.count)

    def _refuse(self, why: str) -> NoReturn:
        raise JournalBroken(self.identity.instance, why) from None

    async def add(self, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Append drafts next to each other; returns once they are stored.

        Their place in the chain is taken before the first await. Raises `JournalBroken`.
        """
        self._close()
        if self._broken is not None:
            raise self._broken
        time = self._clock()
        added = [self._chain(draft, time) for draft in drafts]
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((added, stored))
        self._open = None
        self._start()
        await stored
        return tuple(added)

    def put(self, drafts: Sequence[Draft]) -> tuple[tuple[Entry, ...], asyncio.Future[None]]:
        """As `add`, without waiting. What is returned as well is done once they are stored, or fails
        with `JournalBroken`; others may be given the same, so it is not to be cancelled."""
        self._close()
        if self._broken is not None:
            raise self._broken
        time = self._clock()
        added = tuple([self._chain(draft, time) for draft in drafts])
        if self._open is None or len(self._open[0]) + len(added) > BATCH:
            self._open = ([], asyncio.get_running_loop().create_future())
            self._queue.append(self._open)
            self._start()
        self._open[0].extend(added)
        return added, self._open[1]

    @property
    def is_broken(self) -> bool:
        """Whether nothing more can be added."""
        return self._broken is not None

    async def settled(self) -> None:
        """Wait until everything added is stored, or cannot be."""
        self._close()
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    async def retract(self, sent: Entry, reason: str) -> None:
        """Mark a `sent` entry and its facts as not holding; returns once readers see it."""
        self._unsent.append(sent.number)
        draft = Draft("unsent", reason[:200], sent.step, sent.label, sent.peer, count=sent.number)
        await self.add([draft])
        await self._write_head()

    async def finish(self) -> None:
        """Wait for what was added and write the last head, which closes the journal."""
        await self.settled()
        if self._heading is not None:
            self._heading.cancel()
            await asyncio.wait([self._heading])
        if self._has_written and self._broken is None:
            await self._write_head(closed=True)
        elif self._stored[0] > self._headed:
            await self._write_head()

    def leave(self) -> None:
        """Write nothing more, and no head."""
        for task in (self._flushing, self._heading):
            if task is not None:
                task.cancel()

    def _close(self) -> None:
        before, self.before = self.before, None
        if before is not None:
            before()

    def _chain(self, draft: Draft, time: int) -> Entry:
        entry = entries.chained(self.identity, draft, self.count + 1, time, self.hash)
        self.count, self.hash = entry.last, entry.hash
        return entry

    def _start(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
            self._flushing.add_done_callback(self._flushed)

    async def _flush(self) -> None:
        """Append the queue until it is empty; one record is in flight at a time. Before its first a head
        says that more is to come: so a process that is killed leaves no journal without one."""
        await asyncio.sleep(0)
        if not self._is_announced:
            await self._patiently(self._write_head)
            self._is_announced = True
        while self._queue:
            self._flight = self._take()
            record = entries.pack(entry for added, _ in self._flight for entry in added)
            end = self._flight[-1][0][-1]
            self._sequence = await self._append(record, end.hash.hex())
            self._stored = (end.last, end.hash)
            self._has_written = True
            for _, stored in self._flight:
                if not stored.done():
                    stored.set_result(None)
            self._flight = []

    def _flushed(self, flushing: asyncio.Task[None]) -> None:
        self._flushing = None
        error = None if flushing.cancelled() else flushing.exception()
        if flushing.cancelled() or error is not None:
            self._break(error)
        elif self._queue:
            # Added between the end of the task and this callback.
            self._start()
        elif self._heading is None:
            self._heading = asyncio.create_task(self._head_later())

    def _break(self, error: BaseException | None) -> None:
        if not isinstance(error, JournalBroken):
            error = JournalBroken(self.identity.instance, str(error or "its writer was cut off"))
        self._broken = error
        for _, stored in [*self._flight, *self._queue]:
            if not stored.done():
                stored.set_exception(error)
        self._queue.clear()
        self._open = None

    def _take(self) -> list[_Waiting]:
        taken, total = 0, 0
        for added, _ in self._queue:
            total += len(added)
            if taken and total > BATCH:
                break
            taken += 1
        batch, self._queue = self._queue[:taken], self._queue[taken:]
        if not self._queue:
            self._open = None
        return batch

    async def _append(self, record: bytes, message_id: str) -> int:
        """The sequence of `record`, appended once whatever the broker's answers are.

        The message id stands for the content: under one that counted, the record of a
        writer that was fenced would pass for the one stored in its place.
        """
        try:
            return await self._patiently(
                lambda: self._broker.append(
                    JOURNAL, self.subject, record, message_id=message_id, expected=self._sequence
                )
            )
        except WrongSequence as error:
            last = await self._broker.last(JOURNAL, self.subject)
            if last is not None and last.payload == record:
                return last.sequence
            raise JournalBroken(self.identity.instance, "another process writes it") from error

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again while the broker does not answer."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await attempt()
            except (NotConnected, Unconfirmed):
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(PAUSE)

    # heads ----------------------------------------------------------------------------

    async def _head_later(self) -> None:
        await asyncio.sleep(HEAD_INTERVAL)
        self._heading = None
        try:
            await self._write_head()
        except (BrokerError, JournalBroken):
            # The next flush or the end writes one again.
            return

    async def _write_head(self, *, closed: bool = False) -> None:
        async with self._head_lock:
            count, last = self._stored
            unsent = tuple(self._unsent)
            head = heads.signed(self._signer, self.subject, count, last, unsent, closed=closed)
            await self._append_head(head)
            self._headed = count

    async def _append_head(self, head: Head) -> None:
        """Store a head next to the one that is known. Where another process has said as much or
        more since, it need not be said: a head that comes late stands before none that says more."""
        subject, packed = head_subject(self.identity), head.pack()
        known: Head | None = None
        while known is None or head.says_more(known):
            try:
                self._head_sequence = await self._broker.append(
                    HEADS, subject, packed, expected=self._head_sequence
                )
            except WrongSequence:
                known = await self._last_head()
            else:
                return
