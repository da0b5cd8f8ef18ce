"""Messages that come and go quickly share records of the log, and nothing else is different."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.history import read
from pavane.actors.durable.names import Place
from pavane.broker.contract import Broker

ROUNDS = 60
TALK = pavane.load(f"""
protocol Talk {{
    roles: A, B;
    loop (count: {ROUNDS}) {{ A -> B: Ask(int) B -> A: Tell(int) }}
    A -> B: Sum(int)
}}
""")

Dying = Callable[..., Awaitable[Any]]


async def asker(me: pavane.Endpoint) -> int:
    total = 0
    for _ in range(ROUNDS):
        await me.send("Ask", total % 1000 + me.random().randint(1, 9))
        total += await me.receive("Tell")
    await me.send("Sum", total)
    return total


async def teller(me: pavane.Endpoint) -> int:
    total = 0
    for _ in range(ROUNDS):
        answer = 2 * await me.receive("Ask") + me.random().randint(0, 1)
        total += answer
        await me.send("Tell", answer)
    assert await me.receive("Sum") == total
    return total


async def records(broker: Broker, session: str) -> int:
    """How many records of frames the log of a session has."""
    return len((await read(broker, Place("", "Talk", session))).frames)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a round trip may take longer than is quick otherwise."""
    monkeypatch.setattr("pavane.actors.durable.backlog.QUICK", 1.0)


async def test_what_is_said_quickly_shares_records(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pavane.actors.durable.backlog.HOLD", 0.1)
    outcome = await runtime.run(TALK, A=asker, B=teller, durable=True, session=unique)
    assert outcome["A"] == outcome["B"]
    found = await audit(runtime.broker, Place("", "Talk", unique))
    assert (found.faults, found.messages, found.is_over) == ([], 2 * ROUNDS + 1, True)
    assert await records(runtime.broker, unique) <= ROUNDS


async def test_before_a_call_all_that_was_said_is_stored(
    runtime: pavane.Runtime, unique: str
) -> None:
    said: list[tuple[int, int]] = []

    async def calling(me: pavane.Endpoint) -> int:
        total, count = 0, 0

        async def look() -> None:
            history = await read(runtime.broker, Place("", "Talk", unique))
            stored = history.said("A", 0, 1)[("B", 0, "A", 0)]
            said.append((max(stored), count))

        for number in range(ROUNDS):
            await me.send("Ask", number)
            count += 1
            if number % 20 == 19:
                # Right behind a message, with an unknown number of those before it not stored.
                await me.run(look)
            total += await me.receive("Tell")
        await me.send("Sum", total)
        return total

    await runtime.run(TALK, A=calling, B=teller, durable=True, session=unique)
    assert said == [(20, 20), (40, 40), (60, 60)]
    assert await records(runtime.broker, unique) < 2 * ROUNDS


async def test_what_is_not_heard_live_is_heard_from_the_log(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, lost = runtime.broker.publish, 0

    def lossy(subject: str, payload: bytes) -> None:
        nonlocal lost
        lost += 1
        if lost % 3:
            publish(subject, payload)

    monkeypatch.setattr(runtime.broker, "publish", lossy)
    async with asyncio.timeout(10):
        outcome = await runtime.run(TALK, A=asker, B=teller, durable=True, session=unique)
    assert outcome["A"] == outcome["B"]
    assert lost > 10
    assert not (await audit(runtime.broker, Place("", "Talk", unique))).faults


@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("lives", [[11, 12, 13], [13], [12, 12, 12]])
async def test_a49_what_was_said_live_and_not_stored_is_said_again(
    dying: Dying, hub: Broker, unique: str, lives: list[int], stores: bool
) -> None:
    outcomes: list[pavane.Outcome] = []

    async def attempt(runtime: pavane.Runtime) -> None:
        outcomes.append(await runtime.run(TALK, A=asker, B=teller, durable=True, session=unique))

    for life in lives:
        # How many writes a session takes is a matter of time: a later one may come to the end.
        await dying(attempt, life, stores=stores)
    await dying(attempt)
    assert outcomes
    assert {one["A"] for one in outcomes} == {outcomes[-1]["B"]}
    found = await audit(hub, Place("", "Talk", unique))
    assert (found.faults, found.messages, found.is_over) == ([], 2 * ROUNDS + 1, True)
    assert found.takeovers
