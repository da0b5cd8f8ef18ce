"""Annotated messages of a durable session that follow each other: charged and chained at once, sent
when the journal has them, and each of that once, whatever happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane.actors.durable.audit import Audit, audit
from pavane.actors.durable.history import read
from pavane.actors.durable.lanes import DurableOutlet
from pavane.actors.durable.names import Place
from pavane.broker.contract import Broker
from pavane.broker.errors import PayloadTooLarge, WrongSequence
from pavane.broker.frame import Parts
from pavane.effects.errors import BudgetExhausted, CapabilityDenied, JournalBroken
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import unpack
from pavane.effects.journal.places import JOURNAL

COUNT = 200
STREAM = f"""
protocol {{name}} {{{{
    roles: A, B;
    loop (count: {COUNT}) {{{{
        A[guard_capability = "say", flow_cost = 2, journal_facts = "said, meant"] -> B: Say(int)
    }}}}
    A -> B: Over
}}}}
"""

Dying = Callable[..., Awaitable[Any]]


def stream(name: str) -> pavane.Choreography:
    return pavane.load(STREAM.format(name=name))


async def speaker(me: pavane.Endpoint) -> int:
    for number in range(COUNT):
        await me.send("Say", number)
    await me.send("Over")
    return me.tally.charged


async def hearer(me: pavane.Endpoint) -> list[int]:
    heard = [await me.receive("Say") for _ in range(COUNT)]
    await me.receive("Over")
    return heard


async def looked(runtime: pavane.Runtime, name: str, session: str) -> Audit:
    return await audit(runtime.broker, Place("", name, session), runtime.journal)


async def stored(broker: Broker, name: str, session: str) -> int:
    """How many messages the log has from A."""
    history = await read(broker, Place("", name, session))
    return sum(len(said) for said in history.said("A", 0, 1).values())


async def test_a_stream_of_annotated_messages_is_charged_and_journaled_once(
    runtime: pavane.Runtime, unique: str
) -> None:
    outcome = await runtime.run(stream(unique), A=speaker, B=hearer, durable=True, session="s")
    assert (outcome["A"], outcome["B"]) == (2 * COUNT, list(range(COUNT)))
    found = await looked(runtime, unique, "s")
    assert (found.faults, found.charged, found.facts) == ([], 2 * COUNT, 2 * COUNT)
    level = await runtime.budgets.level(f"default.{unique}", "A")
    assert level is not None
    assert (level.spent, level.held) == (2 * COUNT, ())
    assert (await runtime.journal.verify(protocol=unique)).ok
    who = Identity("", unique, "s", "A")
    receipts, void = await runtime.journal.receipts(who)
    total = await runtime.budgets.verify(
        receipts, f"default.{unique}", "A", writer=".".join(who.tokens()), void=void,
        signers=[runtime.journal.public],
    )  # fmt: skip
    assert total == 2 * COUNT
    subject = f"journal.default.{unique}.s.A.0"
    records = [record async for record in runtime.broker.read(JOURNAL, subject)]
    assert len(records) < COUNT / 4
    kinds = Counter(e.kind for r in records for e in unpack(who, r.payload))
    assert kinds["series"] >= 1
    assert kinds["sent"] < COUNT / 4, "most of them are stored as series"


async def test_the_tally_counts_a_series_before_it_has_ended(
    runtime: pavane.Runtime, unique: str
) -> None:
    tallies: list[tuple[int, int, int, int]] = []

    async def counting(me: pavane.Endpoint) -> None:
        for number in range(COUNT):
            await me.send("Say", number)
            if number % 50 == 49:
                tally = me.tally
                units = sum(receipt.cost for receipt in tally.receipts)
                tallies.append((tally.sent, tally.charged, len(tally.facts), units))
        await me.send("Over")

    await runtime.run(stream(unique), A=counting, B=hearer, durable=True, session="s")
    assert tallies == [(n, 2 * n, 2 * n, 2 * n) for n in (50, 100, 150, 200)]
    assert not (await looked(runtime, unique, "s")).faults


async def test_a_payload_too_large_in_a_series_is_refused_and_costs_nothing(
    runtime: pavane.Runtime, unique: str
) -> None:
    text = pavane.load(
        f"protocol {unique} {{ roles: A, B; loop (count: {COUNT}) {{"
        ' A[flow_cost = 2, journal_facts = "said"] -> B: Say(str) } }'
    )

    async def careless(me: pavane.Endpoint) -> int:
        refused = 0
        for number in range(COUNT):
            if number % 20 == 10:
                with pytest.raises(PayloadTooLarge):
                    await me.send("Say", "x" * (2 << 20))
                refused += 1
            await me.send("Say", "y" * number)
        return refused

    async def reader(me: pavane.Endpoint) -> int:
        return sum([len(await me.receive("Say")) for _ in range(COUNT)])

    outcome = await runtime.run(text, A=careless, B=reader, durable=True, session="s")
    assert (outcome["A"], outcome["B"]) == (COUNT / 20, COUNT * (COUNT - 1) // 2)
    found = await looked(runtime, unique, "s")
    assert (found.faults, found.charged, found.facts) == ([], 2 * COUNT, COUNT)
    level = await runtime.budgets.level(f"default.{unique}", "A")
    assert level is not None
    assert (level.spent, level.held) == (2 * COUNT, ())


async def test_a27_another_token_shown_in_the_middle_of_a_series_is_looked_at(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was admitted before says nothing of what is shown now."""
    put, shown = DurableOutlet.put, 0

    def forging(self: DurableOutlet, label: str, payload: bytes, *rest: Any) -> None:
        nonlocal shown
        shown += label == "Say"
        if shown == COUNT // 2:
            rest = ((), Parts(token=b"of somebody else"))
        put(self, label, payload, *rest)

    heard: list[int] = []

    async def listening(me: pavane.Endpoint) -> None:
        for _ in range(COUNT):
            heard.append(await me.receive("Say"))

    monkeypatch.setattr(DurableOutlet, "put", forging)
    with pytest.raises(CapabilityDenied):
        await runtime.run(stream(unique), A=speaker, B=listening, durable=True, session="s")
    assert len(heard) < COUNT // 2


async def test_a_message_waits_for_its_journal_and_its_sender_does_not(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, hold = runtime.broker.append, asyncio.Event()
    said, done = asyncio.Event(), list[str]()

    async def slow(stream: str, subject: str, payload: bytes, **how: Any) -> int:
        if stream == JOURNAL and said.is_set():
            await hold.wait()
        return await append(stream, subject, payload, **how)

    async def caller(me: pavane.Endpoint) -> None:
        for number in range(COUNT):
            await me.send("Say", number)
            if number == COUNT // 2:
                await me.run(lambda: None, name="a call")
                said.set()
        await me.send("Over")
        done.append("said")
        await me.run(lambda: done.append("called"), name="another")

    monkeypatch.setattr(runtime.broker, "append", slow)
    playing = asyncio.create_task(
        runtime.run(stream(unique), A=caller, B=hearer, durable=True, session="s")
    )
    async with asyncio.timeout(10):
        while not done:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        before = (list(done), await stored(runtime.broker, unique, "s"))
        hold.set()
        outcome = await playing
    assert before == (["said"], COUNT // 2 + 1)
    assert (done, outcome["B"]) == (["said", "called"], list(range(COUNT)))
    assert not (await looked(runtime, unique, "s")).faults


async def test_a_series_waits_for_its_own_record_of_the_journal(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first message may be in a record that is stored before: where the answer to the last one comes
    in the turn in which the series is sent."""
    append, first, later = runtime.broker.append, asyncio.Event(), asyncio.Event()
    appended, before = 0, list[int]()

    async def slow(stream: str, subject: str, payload: bytes, **how: Any) -> int:
        nonlocal appended
        appended += stream == JOURNAL
        if stream == JOURNAL and appended > 3:
            await later.wait()
        sequence = await append(stream, subject, payload, **how)
        if stream == JOURNAL and appended == 2:
            await first.wait()
        return sequence

    async def caller(me: pavane.Endpoint) -> None:
        for number in range(10):
            await me.send("Say", number)
        await asyncio.sleep(0.1)
        first.set()
        for number in range(10, COUNT):
            await me.send("Say", number)
        await asyncio.sleep(0.2)
        before.append(await stored(runtime.broker, unique, "s"))
        later.set()
        await me.send("Over")

    # Without a cost nothing is waited for between the messages.
    free = pavane.load(STREAM.format(name=unique).replace("flow_cost = 2", "flow_cost = 0"))
    monkeypatch.setattr(runtime.broker, "append", slow)
    async with asyncio.timeout(10):
        await runtime.run(free, A=caller, B=hearer, durable=True, session="s")
    assert 10 <= before[0] < COUNT / 2
    assert not (await looked(runtime, unique, "s")).faults


async def test_what_the_journal_does_not_take_is_not_said(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, refuses = runtime.broker.append, False

    async def fenced(stream: str, subject: str, payload: bytes, **how: Any) -> int:
        if stream == JOURNAL and refuses:
            raise WrongSequence(stream, subject, 0, 1)
        return await append(stream, subject, payload, **how)

    async def caller(me: pavane.Endpoint) -> None:
        nonlocal refuses
        for number in range(COUNT):
            await me.send("Say", number)
            if number == 9:
                await me.run(lambda: None, name="a call")
                refuses = True
        await me.run(lambda: pytest.fail("the world hears of it"), name="another")

    monkeypatch.setattr(runtime.broker, "append", fenced)
    with pytest.raises(JournalBroken):
        await runtime.run(stream(unique), A=caller, B=hearer, durable=True, session="s")
    assert await stored(runtime.broker, unique, "s") == 10


class Frugal:
    """Says as much as the budget allows, and then that it is over."""

    def __init__(self, name: str) -> None:
        self.protocol = pavane.load(
            f"protocol {name} {{ roles: A, B; rec X {{ choice A {{"
            '  more { A[flow_cost = 2, journal_facts = "said"] -> B: Say(int) continue X }'
            "  over { A -> B: Over } } } }"
        )
        self.outcome: pavane.Outcome | None = None

    async def speaker(self, me: pavane.Endpoint) -> int:
        number = 0
        try:
            while True:
                await me.send("Say", number)
                number += 1
        except BudgetExhausted:
            await me.send("Over")
        return number

    async def hearer(self, me: pavane.Endpoint) -> int:
        count = 0
        while (await me.offer()).label == "Say":
            count += 1
        return count

    async def attempt(self, runtime: pavane.Runtime) -> None:
        self.outcome = await runtime.run(
            self.protocol, A=self.speaker, B=self.hearer, durable=True, session="s"
        )


@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("lives", [[12, 12], [17, 14], [22], [27], [31, 13]])
async def test_a49_a_stream_that_uses_up_its_budget_does_so_whoever_plays_it(
    dying: Dying, hub: Broker, unique: str, lives: list[int], stores: bool
) -> None:
    frugal = Frugal(unique)

    async def fund(runtime: pavane.Runtime) -> None:
        await runtime.budgets.define(f"default.{unique}", "A", 301)

    await dying(fund)
    for life in lives:
        await dying(frugal.attempt, life, stores=stores)
    found: list[Audit] = []

    async def last(runtime: pavane.Runtime) -> None:
        await frugal.attempt(runtime)
        found.append(await looked(runtime, unique, "s"))
        level = await runtime.budgets.level(f"default.{unique}", "A")
        assert level is not None
        assert (level.spent, [h for h in level.held if h.drawn > h.used]) == (300, [])
        (again,) = [f async for f in runtime.replay(frugal.protocol, "s", "A", frugal.speaker)]
        assert (again.end, again.is_faithful) == ("done", True)

    await dying(last)
    assert frugal.outcome is not None
    assert (frugal.outcome["A"], frugal.outcome["B"]) == (150, 150)
    assert (found[0].faults, found[0].charged, found[0].facts) == ([], 300, 150)
