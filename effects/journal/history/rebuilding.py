"""A state rebuilt from the journal: verified first, from the last snapshot that can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ....broker.contract import Broker, Record
from ...keys import Signer
from .. import entry as entries
from .. import series
from ..chain import Chain
from ..entry import Entry
from ..findings import Survey, survey
from ..places import JOURNAL, writer_of
from . import snapshot as snapshots
from .errors import JournalDamaged, ReducerFailed
from .records import BREATH, Records, first_after
from .reducer import Reducer
from .snapshot import Snapshot
from .spool import Spool

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rebuilt(Generic[S]):
    """A state, and how it was come to.

    `reduced` entries were reduced now, `before` them were those of the snapshot it began at (0
    if at none), up to the record at `position`. `skipped` says which snapshots were found and
    not used, the newest first, and why.
    """

    state: S
    reduced: int
    before: int
    position: int
    skipped: tuple[str, ...]
    survey: Survey

    @property
    def entries(self) -> int:
        return self.before + self.reduced


@dataclass(frozen=True, slots=True)
class _Start(Generic[S]):
    """Where a rebuild begins, and what it has verified of the rest."""

    state: S
    before: int
    position: int
    survey: Survey


class _Useless(Exception):
    """A snapshot that is not used."""


async def rebuild(
    records: Records,
    reducer: Reducer[S],
    pattern: str,
    signers: Collection[bytes],
    trusted: Collection[bytes] | None,
) -> Rebuilt[S]:
    """See `History.rebuild`; snapshots must be signed by one of `signers`, heads by `trusted`."""
    with Spool() as spool:
        rebuilding = _Rebuilding(records, reducer, pattern, signers, trusted, spool)
        start = await rebuilding.from_snapshot() or await rebuilding.from_nothing()
        state, reduced = await _reduced(reducer, start, spool)
    position = max(start.survey.position, start.position)
    skipped = tuple(rebuilding.skipped)
    return Rebuilt(state, reduced, start.before, position, skipped, start.survey)


async def _reduced(reducer: Reducer[S], start: _Start[S], spool: Spool) -> tuple[S, int]:
    """The state after all that holds, and how many entries that was."""
    state, reduced = start.state, 0
    for entry in _holding(spool, start.survey.withdrawn):
        try:
            state = reducer.reduce(state, entry)
        except Exception as error:
            where = f"{entry.writer.instance}, entry {entry.number}"
            raise ReducerFailed(reducer.name, where, error) from error
        reduced += 1
        if reduced % BREATH == 0:
            await asyncio.sleep(0)
    return state, reduced


def _holding(spool: Spool, withdrawn: Mapping[str, Collection[int]]) -> Iterator[Entry]:
    """The entries that hold, of what was verified."""
    holds: dict[str, bool] = {}
    for subject, payload in spool.records():
        void = withdrawn.get(subject, ())
        for entry in series.all_of(entries.unpack(writer_of(subject), payload)):
            if entry.kind == "sent":
                holds[subject] = entry.number not in void
            if entry.kind == "merge" or (entry.kind != "unsent" and holds.get(subject, True)):
                yield entry


@dataclass(slots=True)
class _Rebuilding(Generic[S]):
    """Where a rebuild can begin; what comes behind is verified into the spool."""

    records: Records
    reducer: Reducer[S]
    pattern: str
    signers: Collection[bytes]
    trusted: Collection[bytes] | None
    spool: Spool
    skipped: list[str] = field(default_factory=list[str])

    async def from_nothing(self) -> _Start[S]:
        self.spool.clear()
        whole = await survey(self.records, self.pattern, trusted=self.trusted, seen=self.spool.add)
        if not whole.findings.ok:
            raise JournalDamaged(whole.findings)
        return _Start(self.reducer.initial(), 0, 0, whole)

    async def from_snapshot(self) -> _Start[S] | None:
        """The last that is of use, if there is one."""
        if not self.reducer.name:
            return None
        subject = snapshots.subject_of(self.reducer.name, self.pattern)
        async for stored in snapshots.newest(self.records, subject):
            try:
                found = self._fitting(stored)
                state = self._state(found)
                seen = await self._seen(found)
            except _Useless as useless:
                self.skipped.append(str(useless))
            else:
                return _Start(state, found.entries, found.position, seen)
        return None

    def _fitting(self, stored: bytes) -> Snapshot:
        try:
            found, signer = snapshots.opened(stored)
        except ValueError as error:
            raise _Useless(f"a snapshot is damaged: {error}") from None
        if signer not in self.signers:
            raise _Useless(f"a snapshot is signed by a key that is not ours: {signer.hex()}")
        if (found.reducer, found.pattern) != (self.reducer.name, self.pattern):
            raise _Useless(f"a snapshot is one of {found.reducer} over {found.pattern}")
        if found.reducer_version != self.reducer.version:
            ours = f"the reducer has version {self.reducer.version}"
            raise _Useless(f"a snapshot is of version {found.reducer_version}, {ours}")
        return found

    def _state(self, found: Snapshot) -> S:
        try:
            return self.reducer.unpack(found.state)
        except ValueError as error:
            raise _Useless(f"the state of a snapshot cannot be read: {error}") from None

    async def _seen(self, found: Snapshot) -> Survey:
        """Verify what comes behind the snapshot, and that it is a snapshot of this journal."""
        await _stands(self.records, found)
        self.spool.clear()
        seen = await survey(
            self.records,
            found.pattern,
            trusted=self.trusted,
            start=found.position + 1,
            head_start=found.head_position + 1,
            chains={subject: Chain(count, last) for subject, count, last in found.chains},
            seen=self.spool.add,
        )
        if not seen.findings.ok:
            fault = seen.findings.faults[0]
            raise _Useless(f"the journal does not go on from a snapshot: {fault}")
        counts = {subject: count for subject, count, _ in found.chains}
        for subject, withdrawn in seen.withdrawn.items():
            if any(number <= counts.get(subject, 0) for number in withdrawn):
                raise _Useless("a message of before a snapshot was taken back after it")
        return seen


async def _stands(records: Records, found: Snapshot) -> None:
    """The record that the snapshot was taken at is still there."""
    if not found.chains:
        return
    record = await first_after(records, JOURNAL, found.pattern, found.position)
    if record is None or record.sequence != found.position:
        raise _Useless("the journal is shorter than a snapshot of it")
    if _tip(record) != found.tip:
        raise _Useless("a snapshot was taken of another journal")


def _tip(record: Record | None) -> bytes:
    """The hash of the record's last entry; nothing if there is none."""
    if record is None:
        return b""
    try:
        return entries.unpack(writer_of(record.subject), record.payload)[-1].hash
    except ValueError:
        return b""


async def keep(
    broker: Broker,
    signer: Signer,
    reducer: Reducer[S],
    pattern: str,
    rebuilt: Rebuilt[S],
    clock: Callable[[], int],
) -> int:
    """Store what was rebuilt as a snapshot; its place in the stream of snapshots."""
    seen = rebuilt.survey
    # Nothing may have come after the snapshot that it began at.
    tip = seen.tip or _tip(await first_after(broker, JOURNAL, pattern, rebuilt.position))
    made = Snapshot(
        snapshots.VERSION,
        reducer.name,
        reducer.version,
        pattern,
        rebuilt.position,
        seen.head_position,
        tip,
        clock(),
        rebuilt.entries,
        [(subject, chain.count, chain.hash) for subject, chain in sorted(seen.chains.items())],
        reducer.pack(rebuilt.state),
    )
    return await snapshots.store(broker, signer, made)
