"""Facts queried by time and place, and followed as they are written."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pavane.effects.errors import JournalBroken
from pavane.effects.journal.entry import Draft, Entry
from pavane.effects.journal.history.records import end_of, since
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import JOURNAL, journal_subject

if TYPE_CHECKING:
    from .conftest import Desk


async def test_a55_facts_are_queried_by_time(desk: Desk) -> None:
    # The broker's clock cannot be set, so the writers' is, within a minute of it.
    loop_start = datetime.now(UTC)
    for seconds, name in ((-50, "old"), (-20, "recent"), (0, "now")):
        desk.now = int((loop_start + timedelta(seconds=seconds)).timestamp() * 1e9)
        await desk.send(desk.who(), name)
    ns = desk.namespace

    async def names(**period: datetime | timedelta) -> list[str]:
        found = desk.journal.query(namespace=ns, **period)  # type: ignore[arg-type]
        return [entry.name async for entry in found]

    assert await names() == ["old", "recent", "now"]
    edge = loop_start - timedelta(seconds=35)
    assert await names(since=edge) == ["recent", "now"]
    assert await names(until=edge) == ["old"]
    assert await names(since=edge, until=loop_start - timedelta(seconds=10)) == ["recent"]
    # A naive time is local.
    assert await names(since=edge.astimezone().replace(tzinfo=None)) == ["recent", "now"]
    desk.now = int(loop_start.timestamp() * 1e9)
    assert await names(since=timedelta(seconds=35)) == ["recent", "now"]
    assert await names(until=timedelta(hours=1)) == []
    assert await names(since=timedelta(hours=1)) == ["old", "recent", "now"]


async def test_a55_facts_are_queried_by_one_instance(desk: Desk) -> None:
    for index in range(3):
        await desk.send(desk.who("W", index=index), f"w{index}")
    assert await desk.facts(role="W") == ["w0", "w1", "w2"]
    assert await desk.facts(role="W[1]") == ["w1"]
    assert await desk.facts(role="W", fact="w2") == ["w2"]


async def test_the_end_of_a_stream_and_a_time_in_it_are_found(desk: Desk) -> None:
    before = await end_of(desk.broker, JOURNAL, ">")
    for number in range(20):
        await desk.send(desk.who(), f"f{number}")
    assert await end_of(desk.broker, JOURNAL, ">") == before + 20
    records = [r async for r in desk.broker.read(JOURNAL, start=before + 1)]
    for record in (records[0], records[11], records[19]):
        # Several may have been stored in one tick of the broker's clock.
        first = next(r for r in records if r.time >= record.time)
        assert await since(desk.broker, JOURNAL, ">", record.time) == first.sequence
    assert await since(desk.broker, JOURNAL, ">", records[-1].time + 1) == before + 21


async def follow(journal: Journal, seen: list[Entry], namespace: str, last: int = 0) -> None:
    async for entry in journal.tail(last, namespace=namespace):
        seen.append(entry)


async def test_a55_a_tail_begins_with_the_last_and_goes_on_live(desk: Desk) -> None:
    for name in ("one", "two", "three"):
        await desk.send(desk.who(), name)
    seen: list[Entry] = []
    following = asyncio.create_task(follow(desk.journal, seen, desk.namespace, 3))
    async with asyncio.timeout(5):
        while len(seen) < 3:
            await asyncio.sleep(0.01)
        await desk.send(desk.who("Other"), "four")
        while len(seen) < 5:
            await asyncio.sleep(0.01)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert [(e.kind, e.name) for e in seen] == [
        *(("fact", "two"), ("sent", ""), ("fact", "three"), ("sent", ""), ("fact", "four"))
    ]


async def test_a56_a_tail_ends_at_an_entry_that_breaks_its_chain(desk: Desk) -> None:
    await desk.send(desk.who(), "one")
    seen: list[Entry] = []
    following = asyncio.create_task(follow(desk.journal, seen, desk.namespace, 1))
    (record,) = [r async for r in desk.broker.read(JOURNAL, journal_subject(desk.who()))]
    async with asyncio.timeout(5):
        while not seen:
            await asyncio.sleep(0.01)
        await desk.broker.append(JOURNAL, record.subject, record.payload)
        with pytest.raises(JournalBroken, match="out of order, or stands here twice"):
            await following


async def test_a55_what_was_taken_back_is_no_fact_but_still_an_entry(desk: Desk) -> None:
    who = desk.who()
    await desk.send(who, "holds")
    sent, _ = await desk.journal.add(
        who, [Draft("sent", "", 2, "N", "B"), Draft("fact", "void", 2, "N", "B")]
    )
    await (await desk.journal.writer(who)).retract(sent, "cut")
    await desk.finish()
    assert await desk.facts() == ["holds"]
    entries = [e.kind async for e in desk.journal.entries(namespace=desk.namespace)]
    assert entries == ["sent", "fact", "sent", "fact", "unsent"]


async def test_a_journal_whose_writer_has_just_begun_is_whole(desk: Desk) -> None:
    """Its first head comes a moment after its first entry."""
    await desk.send(desk.who(), "one")
    assert (await desk.journal.verify(namespace=desk.namespace)).ok
    await desk.send(desk.who("B"), "two")
    rebuilt = await desk.journal.rebuild(
        lambda count, entry: count + 1, 0, namespace=desk.namespace
    )
    assert rebuilt.state == 4
