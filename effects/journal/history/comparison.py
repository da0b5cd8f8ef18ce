"""Anti-entropy: how two journals stand to each other, writer by writer, from their digests."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec

from ...errors import JournalBroken
from ...keys import digest as hashed
from .. import entry as entries
from ..chain import FaultKind
from ..entry import Entry
from ..findings import survey
from ..places import JOURNAL, writer_of
from .errors import JournalDamaged
from .records import Records, breathing

Standing = Literal["equal", "behind", "ahead", "diverged"]

Verdict = Literal["equal", "behind", "ahead", "behind and ahead", "diverged"]


SHORTENED: frozenset[FaultKind] = frozenset({"truncated"})
"""What makes a journal shorter than it was, and nothing else."""


@dataclass(frozen=True)
class Digest:
    """How far each writer of a journal has come: count and last hash, by subject. `signers` are the
    keys that signed its heads, `unsigned` the number of entries that were left out as no head speaks
    for them. Not slotted: the root is computed once, when first asked for."""

    chains: Mapping[str, tuple[int, bytes]]
    signers: frozenset[bytes] = frozenset()
    unsigned: int = 0

    @cached_property
    def root(self) -> bytes:
        """One hash for all: equal if and only if the journals have the same entries."""
        return hashed(msgspec.msgpack.encode(sorted(self.chains.items())))


@dataclass(frozen=True, slots=True)
class Relation:
    """How this journal's chain on `subject` stands to the other's. `parted` is the number of
    the first entry in which two diverged chains differ, else 0."""

    subject: str
    standing: Standing
    ours: int
    theirs: int
    parted: int = 0

    @property
    def who(self) -> str:
        writer = writer_of(self.subject)
        return f"{writer.namespace}.{writer.protocol}, session {writer.session}, {writer.instance}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """This journal against another. `unequal` has the chains that differ, by subject."""

    ours: Digest
    theirs: Digest
    unequal: tuple[Relation, ...]

    @property
    def verdict(self) -> Verdict:
        """Diverged if any chain is; behind if the other has all that this one has, and more."""
        counts = self.counts
        if counts["diverged"]:
            return "diverged"
        if counts["behind"] and counts["ahead"]:
            return "behind and ahead"
        return "behind" if counts["behind"] else "ahead" if counts["ahead"] else "equal"

    @property
    def counts(self) -> Counter[Standing]:
        """How many chains there are of each standing."""
        found: Counter[Standing] = Counter(relation.standing for relation in self.unequal)
        found["equal"] = len(self.ours.chains.keys() | self.theirs.chains.keys()) - len(
            self.unequal
        )
        return found

    def of(self, standing: Standing) -> Iterator[Relation]:
        return (relation for relation in self.unequal if relation.standing == standing)


async def digest(
    records: Records,
    pattern: str,
    *,
    what: str = "the journal",
    tolerated: Collection[FaultKind] = (),
    trusted: Collection[bytes] | None = None,
    signed: bool = False,
) -> Digest:
    """Of a journal that is whole; raises `JournalDamaged` for another, unless all its faults are
    `tolerated`. With `signed`, only as far as its heads go."""
    seen = await survey(records, pattern, trusted=trusted)
    findings = seen.findings
    if any(fault.kind not in tolerated for fault in findings.faults):
        raise JournalDamaged(findings, what)
    chains = {subject: (chain.count, chain.hash) for subject, chain in seen.chains.items()}
    if signed:
        chains |= {s: (seen.heads[s].count, seen.heads[s].hash) for s in findings.unsigned}
        chains = {subject: end for subject, end in chains.items() if end[0]}
    left_out = sum(findings.unsigned.values()) if signed else 0
    return Digest(chains, frozenset(findings.signers), left_out)


async def compare(
    ours: Records,
    theirs: Records,
    pattern: str,
    *,
    trusted: Collection[bytes] | None = None,
    signed: bool = False,
) -> Comparison:
    """How `ours` stands to `theirs`. One pass over each if they are equal, and one more over
    each that has longer chains; holds one digest of each.

    Ours may have been cut at its end, which makes it shorter and no more; otherwise raises
    `JournalDamaged`. Theirs has to be signed by one of `trusted`, if there are any; with `signed`
    it counts only as far as it is signed.
    """
    left = await digest(ours, pattern, what="this journal", tolerated=SHORTENED)
    right = await digest(theirs, pattern, what="the other journal", trusted=trusted, signed=signed)
    if left.root == right.root:
        return Comparison(left, right, ())
    pairs = {
        subject: (left.chains.get(subject, (0, b"")), right.chains.get(subject, (0, b"")))
        for subject in sorted(left.chains.keys() | right.chains.keys())
    }
    longer = {s: b[0] for s, (a, b) in pairs.items() if a[0] > b[0] > 0}
    shorter = {s: a[0] for s, (a, b) in pairs.items() if b[0] > a[0] > 0}
    at = await _hashes(ours, pattern, longer) | await _hashes(theirs, pattern, shorter)
    found: list[Relation] = []
    for subject, (a, b) in pairs.items():
        standing = _standing(a, b, at.get(subject, b""))
        if standing == "equal":
            continue
        parted = await _parted(ours, theirs, subject) if standing == "diverged" else 0
        found.append(Relation(subject, standing, a[0], b[0], parted))
    return Comparison(left, right, tuple(found))


def _standing(ours: tuple[int, bytes], theirs: tuple[int, bytes], at: bytes) -> Standing:
    """`at` is the hash that the longer chain has where the shorter one ends."""
    if ours == theirs:
        return "equal"
    short = min(ours, theirs)
    if ours[0] == theirs[0] or (short[0] and short[1] != at):
        return "diverged"
    return "behind" if ours[0] < theirs[0] else "ahead"


async def _hashes(records: Records, pattern: str, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """The hashes of the entries with these numbers."""
    found: dict[str, bytes] = {}
    if not wanted:
        return found
    async for record in breathing(records.read(JOURNAL, pattern)):
        number = wanted.get(record.subject)
        if number is None or record.subject in found:
            continue
        for entry in entries.unpack(writer_of(record.subject), record.payload):
            if entry.last == number:
                found[record.subject] = entry.hash
    return found


async def _parted(ours: Records, theirs: Records, subject: str) -> int:
    """The number of the first entry in which two chains differ."""
    other = _chain(theirs, subject)
    async for entry in _chain(ours, subject):
        against = await anext(other, None)
        if against is None or against.hash != entry.hash:
            return entry.number
    raise JournalBroken(writer_of(subject).instance, "it changed while it was compared")


async def _chain(records: Records, subject: str) -> AsyncIterator[Entry]:
    async for record in breathing(records.read(JOURNAL, subject)):
        for entry in entries.unpack(writer_of(subject), record.payload):
            yield entry
