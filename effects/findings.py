"""Whether the journal is whole: every fault found, with its place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ..broker.contract import Broker
from . import entry as entries
from . import head as heads
from .chain import Chain, FaultKind
from .head import Head
from .places import HEADS, JOURNAL, as_heads, writer_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `number` is the entry's, `sequence` the stream record's; 0 where there is none."""

    kind: FaultKind
    subject: str
    number: int
    sequence: int
    message: str

    def __str__(self) -> str:
        _, namespace, protocol, session, role, index = self.subject.split(".")
        who = f"{namespace}.{protocol}, session {session}, {role}[{index}]"
        where = f", entry {self.number}" if self.number else ""
        return f"{who}{where}: {self.message}"


@dataclass(slots=True)
class Findings:
    """What `verify` found. `signers` are the public keys that signed the heads."""

    faults: list[Finding] = field(default_factory=list[Finding])
    entries: int = 0
    writers: int = 0
    signers: set[bytes] = field(default_factory=set[bytes])

    @property
    def ok(self) -> bool:
        return not self.faults


async def verify(
    broker: Broker, pattern: str, *, trusted: Collection[bytes] | None = None
) -> Findings:
    """Check all journals on `pattern` against their chains and heads.

    Holds one chain for each writer, no entries. With `trusted`, heads must be signed by
    one of these public keys; without, any key that fits is taken and reported.
    """
    findings = Findings()
    walk = _Walk(findings, await _heads(broker, pattern, trusted, findings))
    async for record in broker.read(JOURNAL, pattern):
        walk.record(record.subject, record.sequence, record.payload)
    walk.end()
    return findings


async def _heads(
    broker: Broker, pattern: str, trusted: Collection[bytes] | None, findings: Findings
) -> dict[str, Head]:
    """The furthest head of each journal subject; it is the last one unless someone meddled."""
    known: dict[str, Head] = {}
    async for record in broker.read(HEADS, as_heads(pattern)):
        subject = "journal" + record.subject.removeprefix("journal_heads")
        reason = ""
        try:
            head = heads.unpack(subject, record.payload)
        except ValueError as error:
            findings.faults.append(Finding("head", subject, 0, record.sequence, str(error)))
            continue
        if trusted is not None and head.signer not in trusted:
            reason = "its head is signed by a key that is not trusted"
        elif not head.is_signed:
            reason = "its head's signature does not fit"
        if reason:
            findings.faults.append(Finding("head", subject, head.count, record.sequence, reason))
            continue
        findings.signers.add(head.signer)
        if subject not in known or head.count >= known[subject].count:
            known[subject] = head
    return known


class _Walk:
    """One pass over the records, all writers at once."""

    def __init__(self, findings: Findings, known: dict[str, Head]) -> None:
        self._findings = findings
        self._heads = known
        self._chains: dict[str, Chain] = {}

    def record(self, subject: str, sequence: int, payload: bytes) -> None:
        chain = self._chains.get(subject)
        if chain is None:
            chain = self._chains[subject] = Chain.of(subject)
        try:
            found = entries.unpack(writer_of(subject), payload)
        except ValueError as error:
            self._fault("unreadable", subject, chain.count + 1, sequence, str(error))
            return
        for entry in found:
            self._findings.entries += 1
            fault = chain.follow(entry)
            if fault is not None:
                self._fault(fault.kind, subject, fault.number, sequence, fault.message)
            self._check_head(subject, sequence, entry.number, entry.hash)

    def _check_head(self, subject: str, sequence: int, number: int, last: bytes) -> None:
        head = self._heads.get(subject)
        if head is not None and head.count == number and head.hash != last:
            reason = "it is not the entry that the head says"
            self._fault("altered", subject, number, sequence, reason)

    def end(self) -> None:
        """The ends of all journals against their heads."""
        self._findings.writers = len(self._chains | self._heads)
        for subject, head in self._heads.items():
            chain = self._chains.get(subject)
            count = chain.count if chain else 0
            if count < head.count:
                reason = f"the journal ends at entry {count}, but its head says {head.count}"
                self._fault("truncated", subject, count + 1, 0, reason)
        for subject in self._chains.keys() - self._heads.keys():
            self._fault("head", subject, 0, 0, "the journal has no head")

    def _fault(
        self, kind: FaultKind, subject: str, number: int, sequence: int, message: str
    ) -> None:
        self._findings.faults.append(Finding(kind, subject, number, sequence, message))
