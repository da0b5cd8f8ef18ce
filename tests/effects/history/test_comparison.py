"""Anti-entropy between two journals, and their join."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.effects.errors import JournalBroken
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft, chained, pack, unpack
from pavane.effects.journal.head import signed
from pavane.effects.journal.history.archive import Archive, write
from pavane.effects.journal.history.errors import ArchiveRefused, JournalDamaged
from pavane.effects.journal.history.reading import History
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import HEADS, JOURNAL, head_subject, journal_subject
from pavane.effects.keys import Signer

if TYPE_CHECKING:
    from .conftest import Desk


@pytest.fixture
async def elsewhere(desk: Desk) -> AsyncIterator[Journal]:
    """Another, empty journal, on a broker of its own."""
    broker = await connect("memory://")
    journal = Journal(broker, desk.signer)
    yield journal
    await journal.close()
    await broker.close()


async def send(journal: Journal, who: Identity, fact: str) -> None:
    await journal.add(who, [Draft("sent", "", 1, "M", "B"), Draft("fact", fact, 1, "M", "B")])
    await journal.finish(who)


async def test_a33_two_journals_are_equal_behind_ahead_or_diverged(
    desk: Desk, elsewhere: Journal
) -> None:
    ours, a, b = desk.journal, desk.who("A"), desk.who("B")

    async def verdict() -> str:
        return (await ours.compare(elsewhere, namespace=desk.namespace)).verdict

    assert await verdict() == "equal"
    await send(ours, a, "one")
    assert await verdict() == "ahead"
    _, joined = await elsewhere.join(ours, namespace=desk.namespace)
    assert (joined.entries, joined.chains) == (2, 1)
    assert await verdict() == "equal"
    await send(elsewhere, a, "two")
    assert await verdict() == "behind"
    await send(ours, b, "three")
    assert await verdict() == "behind and ahead"
    for _ in range(2):
        await ours.join(elsewhere, namespace=desk.namespace)
        await elsewhere.join(ours, namespace=desk.namespace)
        assert await verdict() == "equal"
        assert (await ours.verify(namespace=desk.namespace)).ok
        assert (await elsewhere.verify()).ok
    digests = [await ours.digest(namespace=desk.namespace), await elsewhere.digest()]
    assert digests[0].root == digests[1].root


async def test_a33_where_two_journals_diverged_is_told_and_both_are_left(
    desk: Desk, elsewhere: Journal
) -> None:
    ours, a = desk.journal, desk.who("A")
    await send(ours, a, "shared")
    await elsewhere.join(ours, namespace=desk.namespace)
    await send(ours, a, "mine")
    await send(elsewhere, a, "theirs")
    await send(elsewhere, a, "more of theirs")
    await send(elsewhere, desk.who("B"), "new")
    found, joined = await ours.join(elsewhere, namespace=desk.namespace)
    assert found.verdict == "diverged"
    (relation,) = found.of("diverged")
    assert (relation.ours, relation.theirs, relation.parted) == (4, 6, 3)
    assert relation.who == f"{desk.namespace}.Proto, session s1, A[0]"
    assert joined.chains == 1
    assert await desk.facts() == ["shared", "mine", "new"]


async def test_a33_a_journal_that_lost_its_end_is_made_whole(
    desk: Desk, elsewhere: Journal
) -> None:
    a = desk.who("A")
    for name in ("one", "two", "three"):
        await send(desk.journal, a, name)
    # What a server that forgot the end of a stream has left: the heads, and a part of the chain.
    records = [r async for r in desk.broker.read(JOURNAL, journal_subject(a))]
    head = await desk.broker.last(HEADS, head_subject(a))
    assert head is not None
    await elsewhere.open()
    damaged = cast(Broker, elsewhere.records)
    await damaged.append(JOURNAL, records[0].subject, records[0].payload)
    await damaged.append(HEADS, head.subject, head.payload)
    assert [f.kind for f in (await elsewhere.verify()).faults] == ["truncated"]
    await elsewhere.join(desk.journal, namespace=desk.namespace)
    assert (await elsewhere.verify()).ok
    assert [e.name async for e in elsewhere.query()] == ["one", "two", "three"]


async def test_a56_a_damaged_journal_is_neither_joined_nor_joined_to(
    desk: Desk, elsewhere: Journal
) -> None:
    a = desk.who("A")
    await send(desk.journal, a, "one")
    (record,) = [r async for r in desk.broker.read(JOURNAL, journal_subject(a))]
    await desk.broker.append(JOURNAL, record.subject, record.payload)
    with pytest.raises(JournalDamaged, match="the other journal is damaged: 2 faults"):
        await elsewhere.join(desk.journal, namespace=desk.namespace)
    with pytest.raises(JournalDamaged, match="this journal is damaged"):
        await desk.journal.join(elsewhere, namespace=desk.namespace)
    assert [e async for e in elsewhere.entries()] == []


async def test_a56_what_nobody_has_signed_is_not_joined(desk: Desk, elsewhere: Journal) -> None:
    """Who has no key adds to a journal that is closed, and to one whose writer was killed."""
    a, b = desk.who("A"), desk.who("B")
    await desk.send(a, "mine")
    await desk.send(b, "mine")
    await desk.journal.leave(a)
    await desk.journal.finish(b)
    forged = await forge(desk, a)
    found, joined = await elsewhere.join(desk.journal, namespace=desk.namespace)
    assert (joined.chains, found.theirs.unsigned) == (1, 2 + forged)
    assert [e.name async for e in elsewhere.query()] == ["mine"]
    assert (await elsewhere.verify()).unsigned == {}
    await forge(desk, b)
    with pytest.raises(JournalDamaged, match="it was closed after entry 2"):
        await elsewhere.join(desk.journal, namespace=desk.namespace)


async def forge(desk: Desk, who: Identity) -> int:
    """Go on with a chain as somebody can who may write to the stream, and has no key."""
    end = await desk.broker.last(JOURNAL, journal_subject(who))
    assert end is not None
    last = unpack(who, end.payload)[-1]
    entry = chained(who, Draft("fact", "forged", 1, "M", "B"), last.number + 1, 1, last.hash)
    await desk.broker.append(JOURNAL, end.subject, pack([entry]))
    return 1


async def test_a56_what_a_stranger_has_signed_is_not_joined(desk: Desk, elsewhere: Journal) -> None:
    await send(elsewhere, desk.who("A"), "theirs")
    await elsewhere.close()
    stranger = Signer().public
    with pytest.raises(JournalDamaged, match=r"not to be trusted: .* signed by a key") as refused:
        await desk.journal.join(elsewhere, trusted=[stranger], namespace=desk.namespace)
    assert "--trust" in (refused.value.hint or "")
    await desk.journal.join(elsewhere, trusted=[elsewhere.public], namespace=desk.namespace)
    assert await desk.facts() == ["theirs"]
    with pytest.raises(JournalBroken, match="signed by a key that is not trusted"):
        [e async for e in desk.journal.query(trusted=[stranger], namespace=desk.namespace)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=3, max_size=3))
async def test_a33_the_join_of_journals_is_a_lattice(reaches: list[list[int]]) -> None:
    """Three replicas know prefixes of three chains; however they join, all come to the same."""
    signer, source = Signer(b"l" * 32), await connect("memory://")
    writers = [Identity("ns", "Proto", "s", role) for role in ("A", "B", "C")]
    full = Journal(source, signer)
    for who in writers:
        for number in range(4):
            await full.add(who, [Draft("sent", str(number), 1, "M", "B")])
    await full.close()

    async def replica(reach: list[int]) -> Journal:
        broker = await connect("memory://")
        made = Journal(broker, signer)
        await made.open()
        for who, known in zip(writers, reach, strict=True):
            stored = [r async for r in source.read(JOURNAL, journal_subject(who))]
            for record in stored[:known]:
                await broker.append(JOURNAL, record.subject, record.payload)
            if known:
                (end,) = unpack(who, stored[known - 1].payload)
                head = signed(signer, journal_subject(who), end.number, end.hash, ())
                await broker.append(HEADS, head_subject(who), head.pack())
        return made

    async def joined(*order: int) -> bytes:
        replicas = [await replica(reach) for reach in reaches]
        target = replicas[order[0]]
        for number in order[1:]:
            await target.join(replicas[number])
        return (await target.digest()).root

    roots = {await joined(0, 1, 2), await joined(2, 1, 0), await joined(1, 0, 2, 0, 1)}
    right = [await replica(reaches[1])]
    await right[0].join(await replica(reaches[2]))
    left = await replica(reaches[0])
    await left.join(right[0])
    roots.add((await left.digest()).root)
    assert len(roots) == 1


# exports ----------------------------------------------------------------------------------


async def exported(desk: Desk, path: Path) -> Path:
    with path.open("wb") as file:
        await write(file, desk.broker, f"journal.{desk.namespace}.*.*.*.*")
    return path


async def test_a56_an_export_is_verified_and_read_like_the_streams(
    desk: Desk, tmp_path: Path, elsewhere: Journal
) -> None:
    await send(desk.journal, desk.who("A"), "one")
    await send(desk.journal, desk.who("W", index=3), "two")
    archive = History(Archive(await exported(desk, tmp_path / "j.jsonl")))
    assert (await archive.verify()).ok
    assert (await archive.verify(trusted=[Signer().public])).faults
    found = [e async for e in archive.entries()]
    assert found == [e async for e in desk.journal.entries(namespace=desk.namespace)]
    assert [e.name async for e in archive.query(role="W[3]")] == ["two"]
    assert (await archive.compare(desk.journal, namespace=desk.namespace)).verdict == "equal"
    await elsewhere.join(archive)
    assert (await elsewhere.compare(archive)).verdict == "equal"
    assert (await elsewhere.verify(trusted=[desk.signer.public])).ok


LINE_DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "an entry altered": lambda rows: [*rows[:-1], rows[-1].replace(b'"two"', b'"six"')],
    "an entry removed": lambda rows: [*rows[:3], *rows[4:]],
    "the end cut off": lambda rows: rows[:-1],
    "two swapped": lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]],
    "one twice": lambda rows: [*rows, rows[-1]],
}


@pytest.mark.parametrize("kind", LINE_DAMAGES)
async def test_a56_a_damaged_export_is_found(desk: Desk, tmp_path: Path, kind: str) -> None:
    await send(desk.journal, desk.who("A"), "one")
    await send(desk.journal, desk.who("A"), "two")
    path = await exported(desk, tmp_path / "j.jsonl")
    path.write_bytes(b"".join(LINE_DAMAGES[kind](path.read_bytes().splitlines(keepends=True))))
    archive = History(Archive(path))
    findings = await archive.verify()
    assert findings.faults
    with pytest.raises(JournalDamaged):
        await archive.rebuild(lambda state, entry: state, None)


@pytest.mark.parametrize("text", [b"", b"{}\n", b"\xff\n", b'{"format":"x"}\n', b"[" * 100_000])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / token_hex(4)
    path.write_bytes(text)
    with pytest.raises(ArchiveRefused, match="line 1: it is no export"):
        Archive(path)


async def test_a_line_that_is_no_entry_is_named(desk: Desk, tmp_path: Path) -> None:
    await send(desk.journal, desk.who("A"), "one")
    path = await exported(desk, tmp_path / "j.jsonl")
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*rows[:3], b"garbage\n", *rows[3:]]))
    with pytest.raises(ArchiveRefused, match="line 4: it is no entry"):
        await History(Archive(path)).verify()
    path.write_bytes(b"".join(rows[:1]))
    with pytest.raises(ArchiveRefused, match="line 2: the file ends before this line"):
        Archive(path)
