"""Many sessions in one process: shared subscriptions, and what they bring that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.mailbox import switchboard as module
from pavane.actors.mailbox.switchboard import FEW, Ear, Switchboard, silence
from pavane.broker.contract import Broker, Deliver, Lost, Subscription

Heard = list[tuple[str, bytes]]


class Counted:
    """How many subscriptions a connection has, and had at most."""

    def __init__(self, broker: Broker, patch: pytest.MonkeyPatch) -> None:
        self.open: list[str] = []
        self.most = 0
        self._subscribe = broker.subscribe
        patch.setattr(broker, "subscribe", self.subscribe)

    async def subscribe(
        self, subject: str, deliver: Deliver, *, lost: Lost | None = None
    ) -> Subscription:
        inner = await self._subscribe(subject, deliver, lost=lost)
        counted, close = self, inner.close
        self.open.append(subject)
        self.most = max(self.most, len(self.open))

        class Closing:
            async def close(self) -> None:
                counted.open.remove(subject)
                await close()

        return Closing()


@pytest.fixture
async def counted(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counted]:
    yield Counted(broker, monkeypatch)


Listen = Callable[[str], Awaitable[tuple[Ear, Heard]]]


@pytest.fixture
async def listen(broker: Broker, counted: Counted, unique: str) -> Listen:
    board = Switchboard(broker)

    async def one(session: str) -> tuple[Ear, Heard]:
        heard: Heard = []

        def deliver(subject: str, data: bytes) -> None:
            heard.append((subject, data))

        (ear,) = await board.listen(unique, "P", ["B"], session, deliver, lambda _: None)
        return ear, heard

    return one


def say(broker: Broker, unique: str, session: str, data: bytes = b"x") -> None:
    broker.publish(f"{unique}.P.B.0.{session}.A.0", data)


async def test_few_sessions_have_subscriptions_of_their_own_and_many_share_one(
    broker: Broker, counted: Counted, listen: Listen, unique: str
) -> None:
    found = await asyncio.gather(*(listen(f"s{n}") for n in range(200)))
    assert len(counted.open) == FEW + 1
    for number in range(200):
        say(broker, unique, f"s{number}", str(number).encode())
    await broker.drained()
    await asyncio.sleep(0.05)
    for number, (_, heard) in enumerate(found):
        assert heard == [(f"{unique}.P.B.0.s{number}.A.0", str(number).encode())]
    await silence(ear for ear, _ in found)
    assert counted.open == []


async def test_who_has_closed_hears_nothing_and_the_last_one_ends_the_sharing(
    broker: Broker, counted: Counted, listen: Listen, unique: str
) -> None:
    alone = [await listen(f"a{n}") for n in range(FEW)]
    first, heard = await listen("x")
    second, other = await listen("y")
    await first.close()
    say(broker, unique, "x")
    say(broker, unique, "y")
    await broker.drained()
    await asyncio.sleep(0.05)
    assert not heard and len(other) == 1
    await second.close()
    await second.close()
    assert len(counted.open) == FEW
    await silence(ear for ear, _ in alone)
    assert counted.open == []


async def test_sharing_ends_where_most_of_what_comes_is_for_others(
    broker: Broker,
    counted: Counted,
    listen: Listen,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No message is lost on the way back to subscriptions of one's own; some come twice."""
    monkeypatch.setattr(module, "STRANGE", 32)
    monkeypatch.setattr(module, "LINGER", 0.1)
    found = [await listen(f"s{n}") for n in range(FEW + 4)]
    sent = 0
    while any(pattern.split(".")[4] == "*" for pattern in counted.open):
        for _ in range(100):
            say(broker, unique, "elsewhere")
        for number in range(FEW + 4):
            say(broker, unique, f"s{number}", str(sent).encode())
        sent += 1
        await asyncio.sleep(0.001)
        assert sent < 10_000
    assert len(counted.open) == FEW + 4
    say(broker, unique, f"s{FEW + 3}", b"last")
    await broker.drained()
    await asyncio.sleep(0.05)
    for _, heard in found:
        told = list(dict.fromkeys(data for _, data in heard if data != b"last"))
        assert told == [str(number).encode() for number in range(sent)]
    ear, _ = await listen("late")
    assert len(counted.open) == FEW + 5
    await silence([ear, *(ear for ear, _ in found)])
    assert counted.open == []


async def test_who_is_cancelled_while_the_server_is_asked_leaves_nothing_behind(
    counted: Counted, listen: Listen
) -> None:
    asking = [asyncio.ensure_future(listen(f"s{n}")) for n in range(FEW + 20)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(5):
        while counted.open:
            await asyncio.sleep(0.01)


async def test_three_hundred_sessions_at_once_share_subscriptions_and_mix_nothing_up(
    runtime: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(runtime.broker, monkeypatch)
    protocol = pavane.load(
        f'#[namespace = "{unique}"] protocol P {{ roles: A, B; A -> B: Ask(int); B -> A: Reply(int); }}'
    )

    def asking(number: int) -> Callable[[Endpoint], Awaitable[int]]:
        async def a(me: Endpoint) -> int:
            await me.send("Ask", number)
            reply: int = await me.receive("Reply")
            return reply

        return a

    async def b(me: Endpoint) -> None:
        await me.send("Reply", 2 * await me.receive("Ask"))

    outcomes = await asyncio.gather(*(runtime.run(protocol, A=asking(n), B=b) for n in range(300)))
    assert [outcome["A"] for outcome in outcomes] == [2 * n for n in range(300)]
    assert counted.most <= 2 * (FEW + 1)
    assert counted.open == []
