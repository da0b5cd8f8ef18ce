"""A state rebuilt from the journal: verified first, from the last snapshot that can be trusted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...broker.contract import Broker
from .. import entry as entries
from ..chain import Chain
from ..entry import Entry
from ..errors import JournalBroken
from ..findings import Survey, survey
from ..keys import Signer
from ..places import JOURNAL, writer_of
from . import snapshot as snapshots
from .errors import JournalDamaged, ReducerFailed
from .records import Records, breathing, first_after
from .reducer import Reducer
from .snapshot import Snapshot

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
    skipped: list[str] = []
    start = await _from_snapshot(records, reducer, pattern, signers, trusted, skipped)
    if start is None:
        whole = await survey(records, pattern, trusted=trusted)
        if not whole.findings.ok:
            raise JournalDamaged(whole.findings)
        start = _Start(reducer.initial(), 0, 0, whole)
    state, reduced = start.state, 0
    async for entry in _holding(records, pattern, start):
        try:
            state = reducer(state, entry)
        except Exception as error:
            where = f"{entry.writer.instance}, entry {entry.number}"
            raise ReducerFailed(reducer.name, where, error) from error
        reduced += 1
    position = max(start.survey.position, start.position)
    return Rebuilt(state, reduced, start.before, position, tuple(skipped), start.survey)


async def _holding(records: Records, pattern: str, start: _Start[S]) -> AsyncIterator[Entry]:
    """The entries behind `start` that hold, as far as they were verified."""
    end, withdrawn = start.survey.position, start.survey.withdrawn
    holds: dict[str, bool] = {}
    if end <= start.position:
        return
    async for record in breathing(records.read(JOURNAL, pattern, start=start.position + 1)):
        if record.sequence > end:
            return
        subject = record.subject
        void = withdrawn.get(subject, ())
        for entry in _read_again(subject, record.payload):
            if entry.kind == "sent":
                holds[subject] = entry.number not in void
            if entry.kind != "unsent" and (entry.kind == "merge" or holds.get(subject, True)):
                yield entry


def _read_again(subject: str, payload: bytes) -> tuple[Entry, ...]:
    """What was verified a moment ago; raises `JournalBroken` if it can no longer be read."""
    try:
        return entries.unpack(writer_of(subject), payload)
    except ValueError as error:
        raise JournalBroken(writer_of(subject).instance, str(error)) from None


async def _from_snapshot(
    records: Records,
    reducer: Reducer[S],
    pattern: str,
    signers: Collection[bytes],
    trusted: Collection[bytes] | None,
    skipped: list[str],
) -> _Start[S] | None:
    if not reducer.name:
        return None
    async for stored in snapshots.newest(records, snapshots.subject_of(reducer.name, pattern)):
        try:
            found = _fitting(stored, reducer, pattern, signers)
            state = _state(reducer, found)
            seen = await _seen(records, found, trusted)
        except _Useless as useless:
            skipped.append(str(useless))
        else:
            return _Start(state, found.entries, found.position, seen)
    return None


def _fitting(
    stored: bytes, reducer: Reducer[S], pattern: str, signers: Collection[bytes]
) -> Snapshot:
    try:
        found, signer = snapshots.opened(stored)
    except ValueError as error:
        raise _Useless(f"a snapshot is damaged: {error}") from None
    if signer not in signers:
        raise _Useless(f"a snapshot is signed by a key that is not ours: {signer.hex()}")
    if (found.reducer, found.pattern) != (reducer.name, pattern):
        raise _Useless(f"a snapshot is one of {found.reducer} over {found.pattern}")
    if found.reducer_version != reducer.version:
        raise _Useless(
            f"a snapshot is of version {found.reducer_version} of the reducer, "
            f"not {reducer.version}"
        )
    return found


def _state(reducer: Reducer[S], found: Snapshot) -> S:
    try:
        return reducer.unpack(found.state)
    except ValueError as error:
        raise _Useless(f"the state of a snapshot cannot be read: {error}") from None


async def _seen(records: Records, found: Snapshot, trusted: Collection[bytes] | None) -> Survey:
    """Verify what comes behind the snapshot, and that it is a snapshot of this journal."""
    await _stands(records, found)
    chains = {subject: Chain(count, last) for subject, count, last in found.chains}
    counts = {subject: count for subject, count, _ in found.chains}
    seen = await survey(
        records,
        found.pattern,
        trusted=trusted,
        start=found.position + 1,
        head_start=found.head_position + 1,
        chains=chains,
    )
    if not seen.findings.ok:
        raise _Useless(f"the journal does not go on from a snapshot: {seen.findings.faults[0]}")
    for subject, withdrawn in seen.withdrawn.items():
        if any(number <= counts.get(subject, 0) for number in withdrawn):
            raise _Useless("a message of before a snapshot was taken back after it")
    return seen


async def _stands(records: Records, found: Snapshot) -> None:
    record = await first_after(records, JOURNAL, found.position)
    if found.position == 0 and not found.chains:
        return
    if record is None or record.sequence != found.position:
        raise _Useless("the journal is shorter than a snapshot of it")
    try:
        tip = entries.unpack(writer_of(record.subject), record.payload)[-1].hash
    except ValueError:
        tip = b""
    if tip != found.tip:
        raise _Useless("a snapshot was taken of another journal")


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
    tip = seen.tip
    if not tip:
        # Nothing came after the snapshot that it began at.
        record = await first_after(broker, JOURNAL, rebuilt.position)
        tip = _read_again(record.subject, record.payload)[-1].hash if record else b""
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
