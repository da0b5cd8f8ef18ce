from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pavane.broker.contract import Broker
from pavane.broker.errors import BrokerError, NotConnected
from pavane.effects.errors import JournalBroken
from pavane.effects.identity import Identity
from pavane.effects.journal import head as heads
from pavane.effects.journal.entry import Draft, Entry
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import HEADS, JOURNAL, head_subject, journal_subject
from pavane.effects.keys import Signer
from pavane.language.machine import Action

if TYPE_CHECKING:
    from .conftest import Desk


def draft(name: str, kind: str = "fact") -> Draft:
    return Draft("sent" if kind == "sent" else "fact", name, 1, "M", "B")


async def read_all(journal: Journal, namespace: str) -> list[Entry]:
    return [e async for e in journal.entries(namespace=namespace)]


async def test_what_is_added_in_one_turn_goes_in_one_record(desk: Desk) -> None:
    who = desk.identity()
    await desk.journal.add(who, [draft("first")])
    await asyncio.gather(*(desk.journal.add(who, [draft(f"f{i}")]) for i in range(1000)))
    found = desk.broker.read(JOURNAL, journal_subject(who))
    records = [record async for record in found]
    assert len(records) == 3
    entries = await read_all(desk.journal, desk.namespace)
    assert [entry.number for entry in entries] == list(range(1, 1002))
    assert [entry.name for entry in entries] == ["first", *(f"f{i}" for i in range(1000))]


async def test_a_journal_is_queried_by_role_and_session_and_fact(desk: Desk) -> None:
    for role, index, session in (
        ("A", None, "s1"),
        ("W", 0, "s1"),
        ("W", 1, "s1"),
        ("A", None, "s2"),
    ):
        who = Identity(desk.namespace, "Proto", session, role, index)
        await desk.journal.add(who, [draft("", "sent"), draft("x"), draft(f"of_{who.instance}")])
    assert len(await desk.facts()) == 8
    assert await desk.facts(role="W") == ["x", "of_W[0]", "x", "of_W[1]"]
    assert await desk.facts(fact="x") == ["x"] * 4
    found = desk.journal.query(namespace=desk.namespace, session="s2", protocol="Proto")
    assert [(f.name, f.session, f.writer.index) async for f in found] == [
        *(("x", "s2", None), ("of_A", "s2", None))
    ]
    assert [f async for f in desk.journal.query(namespace=desk.namespace, protocol="Other")] == []


async def test_a_writer_goes_on_where_the_one_before_it_ended(desk: Desk) -> None:
    who = desk.identity("W", 3)
    await desk.journal.add(who, [draft("one")])
    await desk.journal.finish(who)
    later = Journal(desk.broker, desk.signer)
    (two,) = await later.add(who, [draft("two")])
    await later.close()
    assert two.number == 2
    assert (await desk.journal.verify(namespace=desk.namespace)).ok


async def test_a57_a_second_writer_is_fenced(desk: Desk) -> None:
    who = desk.identity()
    await desk.journal.add(who, [draft("one")])
    other = Journal(desk.broker, Signer())
    await other.add(who, [draft("two")])
    with pytest.raises(JournalBroken, match="another process writes it"):
        await desk.journal.add(who, [draft("stale")])
    with pytest.raises(JournalBroken, match="another process writes it"):
        await desk.journal.add(who, [draft("stale again")])
    await other.close()
    assert [e.name for e in await read_all(other, desk.namespace)] == ["one", "two"]


async def test_a_writer_does_not_go_on_behind_a_cut_end(desk: Desk) -> None:
    who = desk.identity()
    head = heads.signed(desk.signer, journal_subject(who), 5, bytes(32), ())
    await desk.broker.append(HEADS, head_subject(who), head.pack())
    with pytest.raises(JournalBroken, match="its head says 5"):
        await desk.journal.add(who, [draft("one")])


class Flaky:
    """A broker whose appends to the journal fail before or after they are stored."""

    def __init__(self, broker: Broker, failures: list[str]) -> None:
        self._broker = broker
        self._failures = failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        failure = self._failures.pop(0) if stream == JOURNAL and self._failures else ""
        if failure == "before":
            raise NotConnected("here", "cut")
        if failure == "refused":
            raise BrokerError("the disk is full")
        # Without its message id, a repeated append meets the expected sequence.
        id = None if failure == "after" else message_id
        done = await self._broker.append(stream, subject, payload, message_id=id, expected=expected)
        if failure == "after":
            raise NotConnected("here", "cut")
        return done


def flaky(desk: Desk, failures: list[str]) -> Journal:
    broker: Broker = Flaky(desk.broker, failures)  # type: ignore[assignment]  # pyright: ignore
    return Journal(broker, desk.signer)


@pytest.mark.parametrize("failures", [["before"], ["after"], ["before", "after", "before"]])
async def test_a32_a_lost_answer_neither_loses_nor_doubles_a_fact(
    desk: Desk, failures: list[str]
) -> None:
    journal = flaky(desk, failures)
    await journal.add(desk.identity(), [draft("one")])
    await journal.add(desk.identity(), [draft("two")])
    await journal.close()
    assert [e.name for e in await read_all(journal, desk.namespace)] == ["one", "two"]
    assert (await journal.verify(namespace=desk.namespace)).ok


async def test_a_message_whose_facts_cannot_be_stored_is_not_charged(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    broken = flaky(desk, ["refused"])
    desk.pipeline.driver.journal = broken  # type: ignore[attr-defined]  # pyright: ignore
    with pytest.raises(JournalBroken, match="the disk is full"):
        await desk.pipeline.before_send(desk.context(), action(flow_cost=5, journal_facts="a"))
    assert await desk.spent() == 0
    assert await desk.facts() == []
    assert [denial.stage for denial in desk.pipeline.audit] == ["journal"]


async def test_a_head_follows_the_journal_and_the_end_has_one(desk: Desk) -> None:
    who = desk.identity()
    await desk.journal.add(who, [draft("one")])
    for _ in range(200):
        if await desk.broker.last(HEADS, head_subject(who)):
            break
        await asyncio.sleep(0.01)
    entries = await desk.journal.add(who, [draft("two"), draft("three")])
    await desk.journal.finish(who)
    last = await desk.broker.last(HEADS, head_subject(who))
    assert last is not None
    head = heads.unpack(journal_subject(who), last.payload)
    assert head.is_signed
    assert (head.count, head.hash, head.signer) == (3, entries[-1].hash, desk.signer.public)


async def test_a_query_streams_and_does_not_load(desk: Desk) -> None:
    who = desk.identity()
    for _ in range(10):
        drafts = [draft(f"a_fact_with_a_name_{n}") for n in range(200)]
        await asyncio.gather(*(desk.journal.add(who, drafts) for _ in range(5)))
    tracemalloc.start()
    counted = 0
    async for _ in desk.journal.query(namespace=desk.namespace):
        counted += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted == 10_000
    # All entries at once would be more than 10 MB.
    assert peak < 4_000_000
