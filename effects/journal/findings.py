"""Whether the journal is whole: every fault found, with its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ...broker.contract import Record
from . import entry as entries
from . import head as heads
from .chain import Chain, FaultKind
from .head import Head
from .history.records import Records, breathing
from .places import HEADS, JOURNAL, as_heads, as_journal, head_subject, writer_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `number` is the entry's, `sequence` the stream record's; 0 where there is none."""

    kind: FaultKind
    subject: str
    number: int
    sequence: int
    message: str

    def __str__(self) -> str:
        where = f", entry {self.number}" if self.number else ""
        return f"{who(self.subject)}{where}: {self.message}"


def who(subject: str) -> str:
    """Whose journal is on `subject`, for people."""
    _, namespace, protocol, session, role, index = subject.split(".")
    return f"{namespace}.{protocol}, session {session}, {role}[{index}]"


@dataclass(slots=True)
class Findings:
    """What `verify` found. `signers` are the public keys that signed the heads, `trusted` those
    that it was told to trust; None where it trusted each chain's first.

    `unsigned` counts, by subject, the entries after a chain's last head. They are no fault: a writer
    signs five times a second and at its end, and one that was killed left some. But nothing
    proves whose they are. `beginning` is the hash of the first entry that was read.
    """

    faults: list[Finding] = field(default_factory=list[Finding])
    entries: int = 0
    writers: int = 0
    signers: set[bytes] = field(default_factory=set[bytes])
    trusted: frozenset[bytes] | None = None
    unsigned: dict[str, int] = field(default_factory=dict[str, int])
    beginning: bytes = b""

    @property
    def ok(self) -> bool:
        return not self.faults


@dataclass(slots=True)
class Survey:
    """One pass over a journal: what is wrong, and how far it goes.

    `chains` are the ends of all chains by subject, `withdrawn` the numbers of `sent` entries
    that do not hold, `heads` the furthest heads that count. `position` is the sequence of the last record, `tip` its last hash;
    `head_position` the sequence of the last head.
    """

    findings: Findings
    chains: dict[str, Chain]
    withdrawn: dict[str, set[int]]
    heads: dict[str, Head]
    position: int = 0
    tip: bytes = b""
    head_position: int = 0


async def survey(
    records: Records,
    pattern: str,
    *,
    trusted: Collection[bytes] | None = None,
    start: int = 1,
    head_start: int = 1,
    chains: Mapping[str, Chain] | None = None,
    seen: Callable[[Record], None] | None = None,
) -> Survey:
    """Walk over all journals on `pattern`, from the sequences `start` and `head_start` on, where
    `chains` had come to.

    Holds one chain for each writer, no entries. With `trusted`, heads must be signed by one of
    these public keys; without, the first key that signed for a chain is trusted, and reported.
    `seen` is given every record.
    """
    findings = Findings(trusted=None if trusted is None else frozenset(trusted))
    found = Survey(findings, dict(chains or {}), {}, {}, head_position=head_start - 1)
    await _read_heads(records, pattern, found, head_start)
    walk = _Walk(found)
    walk.compare_ends()
    async for record in breathing(records.read(JOURNAL, pattern, start=start)):
        walk.record(record)
        if seen is not None:
            seen(record)
    await walk.end(records)
    return walk.survey


async def _read_heads(records: Records, pattern: str, survey: Survey, start: int) -> None:
    """The furthest head of each journal subject; it is the last one unless someone meddled. A key that
    is not trusted is one fault, however many heads it has signed."""
    known, findings = survey.heads, survey.findings
    foreign = set[tuple[str, bytes]]()
    async for record in breathing(records.read(HEADS, as_heads(pattern), start=start)):
        survey.head_position = record.sequence
        subject = as_journal(record.subject)
        try:
            head = heads.unpack(subject, record.payload)
        except ValueError as error:
            findings.faults.append(Finding("head", subject, 0, record.sequence, str(error)))
            continue
        before = known.get(subject)
        fault = _distrusted(head, before, record.sequence, findings.trusted)
        if fault is not None:
            if fault.kind != "key" or (subject, head.signer) not in foreign:
                findings.faults.append(fault)
            foreign.add((subject, head.signer))
            continue
        findings.signers.add(head.signer)
        if before is None or head.count >= before.count:
            known[subject] = head


def _distrusted(
    head: Head, before: Head | None, sequence: int, trusted: frozenset[bytes] | None
) -> Finding | None:
    if reason := head.doubt(trusted):
        kind: FaultKind = "key" if head.is_signed else "head"
        return Finding(kind, head.subject, head.count, sequence, reason)
    if trusted is None and before is not None and head.signer != before.signer:
        changed = f"from {before.signer.hex()[:16]} to {head.signer.hex()[:16]}"
        reason = f"the key that signs its heads changes {changed}"
        return Finding("key", head.subject, head.count, sequence, reason)
    return None


class _Walk:
    """One pass over the records, all writers at once."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._findings = survey.findings
        self._heads = survey.heads
        self._beyond: dict[str, int] = {}
        """By subject the first record of what no head that was read speaks for."""

    def compare_ends(self) -> None:
        """What was walked before, against the heads that say as much."""
        for subject, chain in self.survey.chains.items():
            head = self._heads.get(subject)
            if head is not None and head.count == chain.count and head.hash != chain.hash:
                reason = "it is not the entry that the head says"
                self._fault("altered", subject, chain.count, 0, reason)

    def record(self, record: Record) -> None:
        subject, sequence = record.subject, record.sequence
        chain = self.survey.chains.get(subject)
        if chain is None:
            chain = self.survey.chains[subject] = Chain.of(subject)
        head = self._heads.get(subject)
        headed = head.count if head is not None else 0
        self.survey.position = sequence
        try:
            found = entries.seen(record.payload)
        except ValueError as error:
            self._fault("unreadable", subject, chain.count + 1, sequence, str(error))
            return
        if found[-1].last > headed:
            self._beyond.setdefault(subject, sequence)
        self._findings.entries += len(found)
        self.survey.tip = found[-1].hash
        self._findings.beginning = self._findings.beginning or found[0].hash
        for entry in found:
            if entry.last != entry.number:
                self._findings.entries += entry.last - entry.number
            fault = chain.follow(entry)
            if fault is not None:
                self._fault(fault.kind, subject, fault.number, sequence, fault.message)
            if entry.kind == "unsent":
                self.survey.withdrawn.setdefault(subject, set()).add(entry.count)
            if entry.last == headed and head is not None and head.hash != entry.hash:
                reason = "it is not the entry that the head says"
                self._fault("altered", subject, headed, sequence, reason)

    async def end(self, records: Records) -> None:
        """The ends of all journals against their heads."""
        chains = self.survey.chains
        self._findings.writers = len(chains | self._heads)
        for subject in chains.keys() | self._heads.keys():
            chain = chains.get(subject)
            count = chain.count if chain is not None else 0
            head = self._heads.get(subject) or await self._earlier(records, subject)
            if head is None:
                self._fault("headless", subject, 0, 0, "the journal has no head")
            elif count < head.count:
                reason = f"the journal ends at entry {count}, but its head says {head.count}"
                self._fault("truncated", subject, count + 1, 0, reason)
            elif count > head.count and not await self._was_added_to(records, head):
                self._findings.unsigned[subject] = count - head.count

    async def _earlier(self, records: Records, subject: str) -> Head | None:
        """The head of a journal of which none was read: it stands before where the reading began, or has
        come since."""
        last = await _last_head(records, subject)
        try:
            return None if last is None else heads.unpack(subject, last)
        except ValueError:
            return None

    async def _was_added_to(self, records: Records, head: Head) -> bool:
        """Whether somebody who could not sign has gone on with a journal that is closed: whoever
        can opens it again, perhaps since its heads were read."""
        subject = head.subject
        if not head.closed or await _last_head(records, subject) != head.pack():
            return False
        reason = f"it was closed after entry {head.count}, and what follows is not signed"
        self._fault("added", subject, head.count + 1, self._beyond.get(subject, 0), reason)
        return True

    def _fault(
        self, kind: FaultKind, subject: str, number: int, sequence: int, message: str
    ) -> None:
        self._findings.faults.append(Finding(kind, subject, number, sequence, message))


async def _last_head(records: Records, subject: str) -> bytes | None:
    record = await records.last(HEADS, head_subject(writer_of(subject)))
    return None if record is None else record.payload
