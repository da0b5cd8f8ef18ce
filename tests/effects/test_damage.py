"""Damage to the journal: every kind is found, and says where it is."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.effects.errors import JournalBroken
from pavane.effects.identity import Identity
from pavane.effects.journal import head as heads
from pavane.effects.journal.entry import Draft, Entry, chained, first_hash, pack
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import HEADS, JOURNAL, head_subject, journal_subject
from pavane.effects.keys import Signer


def draft(name: str, kind: str = "fact") -> Draft:
    return Draft("sent" if kind == "sent" else "fact", name, 1, "M", "B")


async def read_all(journal: Journal, namespace: str) -> list[Entry]:
    return [e async for e in journal.entries(namespace=namespace)]


class Copy:
    """The records of two clean journals, to be damaged and stored elsewhere."""

    def __init__(self, writers: list[Identity]) -> None:
        self.writers = writers
        self.records: dict[str, list[bytes]] = {}
        self.heads: dict[str, list[bytes]] = {}

    async def take(self, broker: Broker) -> None:
        for who in self.writers:
            for stream, subject, kept in (
                (JOURNAL, journal_subject(who), self.records),
                (HEADS, head_subject(who), self.heads),
            ):
                kept[subject] = [r.payload async for r in broker.read(stream, subject)]

    @asynccontextmanager
    async def stored(self) -> AsyncGenerator[Journal, None]:
        """A journal with what the copy has now."""
        broker = await connect("memory://")
        journal = Journal(broker, Signer())
        await journal.open()
        for stream, kept in ((JOURNAL, self.records), (HEADS, self.heads)):
            for subject, payloads in kept.items():
                for payload in payloads:
                    await broker.append(stream, subject, payload)
        yield journal
        await broker.close()


@pytest.fixture
async def copy() -> Copy:
    broker = await connect("memory://")
    writers = [Identity("ns", "Proto", "s1", "A"), Identity("ns", "Proto", "s1", "W", 1)]
    journal = Journal(broker, Signer(b"h" * 32))
    for who in writers:
        for n in range(1, 9):
            await journal.add(who, [draft("", "sent"), draft(f"f{n}")])
    await journal.close()
    made = Copy(writers)
    await made.take(broker)
    await broker.close()
    return made


A = "journal.ns.Proto.s1.A.0"
A_HEADS = "journal_heads.ns.Proto.s1.A.0"
W = "journal.ns.Proto.s1.W.1"


async def test_a56_a_clean_journal_raises_nothing(copy: Copy) -> None:
    async with copy.stored() as journal:
        findings = await journal.verify()
        assert findings.ok
        assert (findings.entries, findings.writers) == (32, 2)
        assert findings.signers == {Signer(b"h" * 32).public}
        assert len(await read_all(journal, "ns")) == 32


async def located(copy: Copy, *, replay_refused: bool = True) -> set[tuple[str, str, int]]:
    async with copy.stored() as journal:
        findings = await journal.verify()
        if replay_refused:
            with pytest.raises(JournalBroken):
                await read_all(journal, "ns")
        return {(f.kind, f.subject, f.number) for f in findings.faults}


async def test_a56_every_flipped_bit_is_found_and_located(copy: Copy) -> None:
    clean = copy.records[A][3]
    for position in range(len(clean)):
        damaged = bytearray(clean)
        damaged[position] ^= 1 << (position % 8)
        copy.records[A][3] = bytes(damaged)
        found = await located(copy)
        assert found
        # Entries 7 and 8 are in this record; 9 is chained to it.
        assert min(number for _, _, number in found) in (7, 8, 9)
        assert {subject for _, subject, _ in found} == {A}


@pytest.mark.parametrize("position", range(8))
async def test_a56_a_removed_record_is_found(copy: Copy, position: int) -> None:
    del copy.records[A][position]
    found = await located(copy, replay_refused=position < 7)
    first = 2 * position + 1
    assert found == {("missing", A, first + 2) if position < 7 else ("truncated", A, first)}


@pytest.mark.parametrize("kept", range(8))
async def test_a56_a_cut_end_is_found(copy: Copy, kept: int) -> None:
    del copy.records[A][kept:]
    assert await located(copy, replay_refused=False) == {("truncated", A, 2 * kept + 1)}


async def test_a56_swapped_records_are_found(copy: Copy) -> None:
    records = copy.records[A]
    records[2], records[5] = records[5], records[2]
    assert {(kind, number) for kind, _, number in await located(copy)} >= {
        *(("missing", 11), ("order", 7), ("order", 8))
    }


async def test_a56_a_repeated_record_is_found(copy: Copy) -> None:
    copy.records[A].insert(3, copy.records[A][2])
    assert await located(copy) == {("order", A, 5), ("order", A, 6)}


@pytest.mark.parametrize("position", range(8))
async def test_a56_a_splice_from_another_journal_is_found(copy: Copy, position: int) -> None:
    copy.records[A][position] = copy.records[W][position]
    found = await located(copy)
    assert ("altered", A, 2 * position + 1) in found


async def test_a56_a_whole_journal_of_another_is_found(copy: Copy) -> None:
    copy.records[A] = copy.records[W]
    copy.heads["journal_heads.ns.Proto.s1.A.0"] = copy.heads["journal_heads.ns.Proto.s1.W.1"]
    found = await located(copy)
    assert ("altered", A, 1) in found
    assert ("head", A, 16) in found


@pytest.mark.parametrize("longer", [0, 2])
async def test_a56_a_journal_written_anew_is_found_by_its_head(copy: Copy, longer: int) -> None:
    previous, rewritten = first_hash(A), list[bytes]()
    for number in range(1, 17 + longer):
        entry = chained(copy.writers[0], draft("forged"), number, number, previous)
        previous = entry.hash
        rewritten.append(pack([entry]))
    copy.records[A] = rewritten
    added = {("added", A, 17)} if longer else set[tuple[str, str, int]]()
    assert await located(copy, replay_refused=False) == {("altered", A, 16)} | added


async def test_a56_a_journal_that_is_gone_is_found_by_its_head(copy: Copy) -> None:
    del copy.records[A]
    assert await located(copy, replay_refused=False) == {("truncated", A, 1)}


async def test_a56_a_journal_without_a_head_is_found(copy: Copy) -> None:
    del copy.heads["journal_heads.ns.Proto.s1.W.1"]
    assert await located(copy, replay_refused=False) == {("headless", W, 0)}


async def test_a56_what_was_added_after_the_end_is_found(copy: Copy) -> None:
    entry = chained(
        copy.writers[0], draft("forged"), 17, 17, heads.unpack(A, copy.heads[A_HEADS][-1]).hash
    )
    copy.records[A].append(pack([entry]))
    assert await located(copy, replay_refused=False) == {("added", A, 17)}


async def test_a56_a_writer_that_is_killed_leaves_a_journal_that_is_whole() -> None:
    """At any time, also before it has signed anything that it has written."""
    broker = await connect("memory://")
    who = Identity("ns", "Proto", "s1", "A")
    killed = Journal(broker, Signer(b"h" * 32))
    await killed.add(who, [draft("", "sent"), draft("f1")])
    await killed.leave(who)
    reader = Journal(broker, Signer(b"h" * 32))
    findings = await reader.verify()
    assert findings.ok
    assert findings.unsigned == {A: 2}
    assert len(await read_all(reader, "ns")) == 2
    await reader.add(who, [draft("f2")])
    await reader.close()
    findings = await reader.verify()
    assert (findings.ok, findings.entries, findings.unsigned) == (True, 3, {})
    again = Journal(broker, Signer(b"h" * 32))
    await again.add(who, [draft("f3")])
    await again.leave(who)
    findings = await again.verify()
    assert (findings.faults, findings.unsigned) == ([], {A: 1})


async def test_a56_a_head_that_was_altered_or_signed_by_a_stranger_is_found(copy: Copy) -> None:
    subject = "journal_heads.ns.Proto.s1.A.0"
    head = heads.unpack(A, copy.heads[subject][-1])
    forged = heads.Head(A, head.count - 2, head.hash, (), head.signer, head.signature)
    copy.heads[subject] = [forged.pack()]
    assert ("head", A, 14) in await located(copy, replay_refused=False)
    copy.heads[subject] = [heads.signed(Signer(), A, head.count, head.hash, ()).pack()]
    async with copy.stored() as journal:
        assert (await journal.verify()).ok
        found = await journal.verify(trusted=[Signer(b"h" * 32).public])
        assert [fault.kind for fault in found.faults] == ["key"]
    copy.heads[subject] = [b"garbage"]
    assert ("head", A, 0) in await located(copy, replay_refused=False)


async def test_a56_facts_are_not_read_past_a_forged_head(copy: Copy) -> None:
    subject = "journal_heads.ns.Proto.s1.A.0"
    head = heads.unpack(A, copy.heads[subject][-1])
    hiding = heads.Head(A, head.count, head.hash, (1,), head.signer, head.signature)
    copy.heads[subject].append(hiding.pack())
    async with copy.stored() as journal:
        with pytest.raises(JournalBroken, match="signature"):
            [f async for f in journal.query(namespace="ns")]


def damage(
    rng: random.Random, kind: str, records: list[bytes], others: list[bytes]
) -> tuple[list[bytes], int]:
    """The records with one damage, and the first record that it touches."""
    records, place = list(records), rng.randrange(len(records) - 1)
    match kind:
        case "flip":
            data = bytearray(records[place])
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            records[place] = bytes(data)
        case "delete":
            del records[place]
        case "swap":
            other = rng.choice([i for i in range(len(records)) if i != place])
            records[place], records[other] = records[other], records[place]
            place = min(place, other)
        case "splice":
            records[place] = others[place]
        case "truncate":
            records[place] = records[place][: rng.randrange(len(records[place]))]
        case _:
            del records[place:]
    return records, place


KINDS = ["flip", "delete", "swap", "splice", "truncate", "rollback"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a56_a_thousand_damages_of_each_kind_are_found(copy: Copy, kind: str) -> None:
    clean = copy.records[A]
    for seed in range(1000):
        copy.records[A], place = damage(random.Random(seed), kind, clean, copy.records[W])
        async with copy.stored() as journal:
            findings = await journal.verify()
            assert findings.faults, (kind, seed)
            assert {fault.subject for fault in findings.faults} == {A}
            # Two entries in each record; what is missing is seen at the entry behind it.
            first = min(fault.number for fault in findings.faults)
            assert 2 * place + 1 <= first <= 2 * place + 3, (kind, seed, place)


async def test_a56_a_thousand_clean_journals_raise_nothing() -> None:
    signer = Signer()
    for seed in range(1000):
        rng = random.Random(seed)
        broker = await connect("memory://")
        journal = Journal(broker, signer)
        writers = [Identity("ns", "Proto", f"s{n}", "W", n) for n in range(rng.randint(1, 3))]
        total = 0
        for _ in range(rng.randint(1, 4)):
            drafts = [draft("", "sent"), *(draft(f"f{n}") for n in range(rng.randint(0, 4)))]
            await journal.add(rng.choice(writers), drafts)
            total += len(drafts)
        await journal.close()
        findings = await journal.verify(trusted=[signer.public])
        assert (findings.faults, findings.entries) == ([], total), seed
        assert len(await read_all(journal, "ns")) == total
        await broker.close()


async def test_a56_a_record_that_nests_without_end_is_found(copy: Copy) -> None:
    copy.records[A][3] = b"\x94\x01\xc2\xc4\x00\x91\x92" + b"\x91" * 200_000 + b"\xc0\xc4\x00"
    assert ("unreadable", A, 7) in await located(copy)


async def test_a_finding_says_where(copy: Copy) -> None:
    del copy.records[W][1]
    async with copy.stored() as journal:
        (fault,) = (await journal.verify(role="W")).faults
    assert str(fault) == "ns.Proto, session s1, W[1], entry 5: entries 3 to 4 are missing"
