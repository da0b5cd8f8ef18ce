"""Annotated messages of a durable session that follow each other: charged and chained at once, sent
when the journal has them, and each of that once, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane.actors.durable.audit import Audit, audit
from pavane.actors.durable.history import read
from pavane.actors.durable.names import Place
from pavane.broker.contract import Broker
from pavane.broker.errors import WrongSequence
from pavane.effects.errors import BudgetExhausted, JournalBroken
from pavane.effects.identity import Identity
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
