"""How sessions end early: nobody hangs, everybody is told, nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.errors import SessionExists, Unplayable
from pavane.actors.events import Event
from pavane.actors.standin import StandIn

ASK = "protocol Ask { roles: A, B, C; A -> B: Question(int); B -> A: Answer(int); A -> C: End; }"


async def a(me: Endpoint) -> None:
    await me.send("Question", 1)
    await me.receive("Answer")
    await me.send("End")


async def c(me: Endpoint) -> None:
    await me.receive("End")


def tasks() -> set[asyncio.Task[object]]:
    """The tasks that sessions make; a connection has some of its own."""
    return {t for t in asyncio.all_tasks() if "pavane-play" in t.get_name()}


async def test_a_role_that_raises_ends_the_session_and_the_others_are_told(
    runtime: pavane.Runtime,
) -> None:
    told: list[pavane.PeerFailed] = []

    async def b(me: Endpoint) -> None:
        await me.receive("Question")
        raise KeyError("answer book")

    async def patient(me: Endpoint) -> None:
        try:
            await me.receive("End")
        except pavane.PeerFailed as failed:
            told.append(failed)
            raise

    with pytest.raises(pavane.RoleFailed, match="B raised KeyError") as caught:
        async with asyncio.timeout(2):
            await runtime.run(pavane.load(ASK), A=a, B=b, C=patient)
    assert isinstance(caught.value.__cause__, KeyError)
    assert [t.role for t in told] == ["B"]
    assert "answer book" in told[0].reason
    assert tasks() == set()


async def test_a_role_that_sleeps_is_cancelled_when_the_session_has_failed(
    runtime: pavane.Runtime,
) -> None:
    async def b(me: Endpoint) -> None:
        raise ValueError("no")

    async def sleepy(me: Endpoint) -> None:
        await asyncio.sleep(3600)

    with pytest.raises(pavane.RoleFailed):
        async with asyncio.timeout(5):
            await runtime.run(pavane.load(ASK), A=a, B=b, C=sleepy)
    assert tasks() == set()


async def test_a_role_that_returns_too_early_is_unfinished(runtime: pavane.Runtime) -> None:
    async def b(me: Endpoint) -> None:
        await me.receive("Question")

    with pytest.raises(pavane.Unfinished) as caught:
        async with asyncio.timeout(2):
            await runtime.run(pavane.load(ASK), A=a, B=b, C=c)
    assert caught.value.role == "B"
    assert caught.value.expected == ("A!Answer",)


async def test_a_failed_session_refuses_further_steps(runtime: pavane.Runtime) -> None:
    after: list[Exception] = []

    async def b(me: Endpoint) -> None:
        raise ValueError("no")

    async def stubborn(me: Endpoint) -> None:
        for _ in range(3):
            try:
                await me.receive("End")
            except pavane.SessionAborted as error:
                after.append(error)

    with pytest.raises(pavane.RoleFailed):
        await runtime.run(pavane.load(ASK), A=a, B=b, C=stubborn)
    assert len(after) == 3


async def test_cancelling_a_run_leaves_no_task_and_no_subscription(
    runtime: pavane.Runtime,
) -> None:
    async def silent(me: Endpoint) -> None:
        await asyncio.Event().wait()

    running = asyncio.create_task(
        runtime.run(pavane.load(ASK), session="cancelled", A=a, B=silent, C=c)
    )
    await asyncio.sleep(0.05)
    assert len(tasks()) == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tasks() == set()
    async with asyncio.timeout(2):
        await runtime.run(
            pavane.load(ASK), session="cancelled", A=StandIn(), B=StandIn(), C=StandIn()
        )


async def test_the_runtime_goes_on_after_a_failed_session(runtime: pavane.Runtime) -> None:
    async def b(me: Endpoint) -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(pavane.RoleFailed):
            await runtime.run(pavane.load(ASK), A=a, B=b, C=c)
        outcome = await runtime.run(pavane.load(ASK), A=a, B=StandIn(), C=c)
        assert outcome.tallies["C"].received == 1


async def test_closing_a_runtime_ends_what_still_runs(broker_url: str) -> None:
    async def silent(me: Endpoint) -> None:
        await asyncio.Event().wait()

    async with pavane.open(broker_url) as runtime, asyncio.timeout(5):
        running = asyncio.create_task(runtime.run(pavane.load(ASK), A=a, B=silent, C=c))
        await asyncio.sleep(0.05)
    with pytest.raises(pavane.ActorError, match="closed while it ran"):
        await running
    assert tasks() == set()


async def test_a_closed_runtime_says_so(broker_url: str) -> None:
    async with pavane.open(broker_url) as runtime:
        pass
    with pytest.raises(pavane.ActorError, match="closed"):
        await runtime.run(pavane.load(ASK), A=a, B=a, C=c)


async def test_a17_a_guard_that_is_false_is_refused_and_another_branch_can_be_taken(
    runtime: pavane.Runtime,
) -> None:
    text = """protocol Pay { roles: Client, Server;
      choice Client {
        buy when (balance > price && not blocked): { Client -> Server: Purchase; }
        cancel: { Client -> Server: Cancel; } } }"""

    async def client(me: Endpoint) -> str:
        me.set(balance=5, price=10, blocked=False)
        with pytest.raises(pavane.GuardRefused, match="buy") as caught:
            await me.send("Purchase")
        assert caught.value.expected == ("Server!Cancel",)
        me.set(balance=11)
        await me.send("Purchase")
        return "bought"

    async def server(me: Endpoint) -> str:
        return (await me.offer()).branch

    outcome = await runtime.run(pavane.load(text), Client=client, Server=server)
    assert outcome["Server"] == "buy"


async def test_a17_no_guard_holds_and_no_fallback(runtime: pavane.Runtime) -> None:
    text = """protocol Pay { roles: Client, Server;
      Server -> Client: Price(amount: int);
      choice Client {
        buy when (amount < 10): { Client -> Server: Purchase; }
        wait when (amount < 20): { Client -> Server: Wait; } } }"""

    async def client(me: Endpoint) -> None:
        await me.receive("Price")
        await me.send("Wait")

    async def server(me: Endpoint) -> None:
        await me.send("Price", 30)
        await me.offer()

    with pytest.raises(pavane.NoBranch):
        await runtime.run(pavane.load(text), Client=client, Server=server)


async def test_a_role_that_ends_itself_by_a_cancelled_task_has_failed(
    runtime: pavane.Runtime,
) -> None:
    async def b(me: Endpoint) -> None:
        await me.receive("Question")
        raise asyncio.CancelledError

    with pytest.raises(pavane.RoleFailed, match=r"^B raised CancelledError\n") as caught:
        async with asyncio.timeout(2):
            await runtime.run(pavane.load(ASK), A=a, B=b, C=c)
    assert caught.value.role == "B"
    assert "B" in caught.value.hint
    assert tasks() == set()


async def test_what_cannot_play_a_role_is_refused_before_anything_is_sent(
    runtime: pavane.Runtime,
) -> None:
    async def without() -> None:
        raise AssertionError("never called")

    def plain(me: Endpoint) -> None:
        assert me.role == "B"

    events: list[Event] = []
    runtime.observe(events.append)
    wrong: tuple[tuple[Any, str], ...] = (
        (5, "5 is no function"),
        (without, "too many positional arguments"),
    )
    for b, words in wrong:
        given: Mapping[str, Any] = {"A": a, "B": b, "C": c}
        with pytest.raises(Unplayable, match=words):
            await runtime.run(pavane.load(ASK), given)
    assert events == []
    unaware: Mapping[str, Any] = {"A": a, "B": plain, "C": c}
    with pytest.raises(Unplayable, match="not async"):
        await runtime.run(pavane.load(ASK), unaware)


async def test_a_session_name_is_not_used_twice_at_once(runtime: pavane.Runtime) -> None:
    protocol = pavane.load(ASK)
    asked = asyncio.Event()

    async def b(me: Endpoint) -> None:
        number = await me.receive("Question")
        asked.set()
        await asyncio.sleep(0.1)
        await me.send("Answer", number)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(runtime.run(protocol, A=a, B=b, C=c, session="same"))
        await asked.wait()
        with pytest.raises(SessionExists, match="session same is running"):
            await runtime.run(protocol, A=a, B=b, C=c, session="same")
    assert first.result().session == "same"
