"""The times of a durable session: decided once, and running on wherever it is played."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place
from pavane.broker.contract import Broker

Dying = Callable[..., Awaitable[Any]]
Role = Callable[[pavane.Endpoint], Awaitable[object]]

CLAIMS = pavane.load("""
protocol Claims {
    roles: Customer, Desk, Manager;
    Customer -> Desk: Claim(amount: int);
    Desk -> Manager: Decide(amount: int);
    @timeout(20s)
    rec Waiting {
        choice at Manager {
            approve: { Manager -> Desk: Approve; Desk -> Customer: Paid(amount: int); }
            timeout(40ms): {
                Manager -> Desk: Undecided; Desk -> Customer: Patience; continue Waiting;
            }
        }
    }
}
""")


async def customer(me: pavane.Endpoint) -> int:
    await me.send("Claim", 120)
    reminders = 0
    while (await me.offer()).label == "Patience":
        reminders += 1
    return reminders


async def desk(me: pavane.Endpoint) -> None:
    amount = (await me.receive("Claim")).amount
    await me.send("Decide", amount)
    while (await me.offer()).label == "Undecided":
        await me.send("Patience")
    await me.send("Paid", amount)


def manager(seconds: float, told: list[Any] | None = None) -> Role:
    """Asks somebody, who goes on thinking while the customer is told to be patient. `told` gets all
    that it has seen, whenever it is played."""

    async def think() -> float:
        await asyncio.sleep(seconds)
        return time.time()

    async def decide(me: pavane.Endpoint) -> list[Any]:
        await me.receive("Decide")
        seen: list[Any] = []
        thinking = asyncio.create_task(me.run(think))
        try:
            while True:
                async with me.deadline() as late:
                    await asyncio.shield(thinking)
                seen += [late.passed, me.time_left]
                if told is not None:
                    told.append((late.passed, thinking.done(), me.time_left))
                if not late.passed:
                    break
                with suppress(pavane.TooLate):
                    await me.send("Approve")
                    seen.append("came through")
                await me.send("Undecided")
        finally:
            thinking.cancel()
        await me.send("Approve")
        return seen

    return decide


ROLES: dict[str, Role] = {"Customer": customer, "Desk": desk}


async def same_again(runtime: pavane.Runtime, session: str, roles: dict[str, Role]) -> None:
    """Every role does what the log says, twice the same, and the log is whole."""
    for role, by in roles.items():
        first, second = [
            [one async for one in runtime.replay(CLAIMS, session, role, by)] for _ in range(2)
        ]
        assert first == second
        assert [(one.end, one.is_faithful) for one in first] == [("done", True)], first
    found = await audit(runtime.broker, Place("", "Claims", session), runtime.journal)
    assert found.is_over
    assert not found.faults, found.faults


@pytest.mark.parametrize("seconds", [0.0, 0.1])
async def test_a_replay_takes_each_branch_as_it_was_taken(
    runtime: pavane.Runtime, unique: str, seconds: float
) -> None:
    told: list[Any] = []
    roles = {**ROLES, "Manager": manager(seconds, told)}
    first = await runtime.run(CLAIMS, roles, durable=True, session=unique)
    once = list(told)
    assert (first["Customer"] > 0) == (seconds > 0)
    assert first["Manager"].count(True) == first["Customer"]
    # Nobody thinks again, and yet the log has it that there was no time.
    await same_again(runtime, unique, roles)
    assert told == 3 * once


async def stutter() -> None:
    """Keeps the loop from looking at its timers, so that what was due one after the other happens
    at once."""
    while True:
        time.sleep(0.05)  # noqa: ASYNC251 - that is what it is for
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("seconds", [0.05, 0.07, 0.09])
async def test_a_call_that_comes_back_while_a_block_ends_is_seen_after_it(
    runtime: pavane.Runtime, unique: str, seconds: float
) -> None:
    told: list[Any] = []
    roles = {**ROLES, "Manager": manager(seconds, told)}
    stuttering = asyncio.create_task(stutter())
    await runtime.run(CLAIMS, roles, durable=True, session=unique)
    stuttering.cancel()
    once = list(told)
    await same_again(runtime, unique, roles)
    assert told == 3 * once


async def drawn(dying: Dying, session: str, seconds: float, lives: list[int]) -> None:
    roles = {**ROLES, "Manager": manager(seconds)}

    async def attempt(runtime: pavane.Runtime) -> None:
        outcome = await runtime.run(CLAIMS, roles, durable=True, session=session)
        assert outcome["Manager"].count(True) == outcome["Customer"]
        await same_again(runtime, session, roles)

    for number in lives:
        await dying(attempt, number)
    await dying(attempt)


crashes = st.lists(st.integers(1, 40), max_size=3)
hurried = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
patient = settings(hurried, max_examples=150)


@hurried
@given(st.sampled_from([0.0, 0.06]), crashes, st.uuids())
async def test_killed_at_any_write_what_time_decided_stands(
    dying: Dying, hub: Broker, seconds: float, lives: list[int], session: object
) -> None:
    await drawn(dying, str(session), seconds, lives)


@pytest.mark.long
@patient
@given(st.sampled_from([0.0, 0.03, 0.06, 0.1]), crashes, st.uuids())
async def test_killed_at_many_writes_what_time_decided_stands(
    dying: Dying, hub: Broker, seconds: float, lives: list[int], session: object
) -> None:
    await drawn(dying, str(session), seconds, lives)


# --- times that run on -----------------------------------------------------------------------

SLOW = pavane.load("""
protocol Slow {
    roles: A, B;
    A -> B: Ask;
    choice at B {
        yes: { B -> A: Yes; }
        timeout(3s): { B -> A: Late; }
    }
}
""")
BOUND = pavane.load("protocol Bound { roles: A, B; A -> B: Ask; @timeout(3s) B -> A: Yes; }")


async def asker(me: pavane.Endpoint) -> str:
    await me.send("Ask")
    return (await me.offer()).label


async def sleeper(me: pavane.Endpoint) -> float:
    await me.receive("Ask")
    async with me.deadline() as late:
        await asyncio.sleep(60)
    assert late.passed
    await me.send("Late")
    return await me.now()


async def silent(me: pavane.Endpoint) -> None:
    await me.receive("Ask")
    await asyncio.sleep(60)


async def left_after(
    runtime: pavane.Runtime, protocol: pavane.Choreography, session: str, seconds: float, by: Role
) -> None:
    """Play it for so long, and then no longer."""
    playing = asyncio.create_task(
        runtime.run(protocol, A=asker, B=by, durable=True, session=session)
    )
    await asyncio.sleep(seconds)
    playing.cancel()
    with suppress(asyncio.CancelledError):
        await playing


async def test_a_timeout_comes_when_it_would_have_whoever_plays(
    runtime: pavane.Runtime, unique: str
) -> None:
    began = time.time()
    await left_after(runtime, SLOW, unique, 2.2, sleeper)
    outcome = await runtime.run(SLOW, A=asker, B=sleeper, durable=True, session=unique)
    assert outcome["A"] == "Late"
    assert 2.9 < outcome["B"] - began < 5.1


async def test_a_step_is_late_when_it_would_have_been_whoever_plays(
    runtime: pavane.Runtime, unique: str
) -> None:
    began = time.time()
    await left_after(runtime, BOUND, unique, 2.2, silent)
    with pytest.raises(pavane.StepTimedOut):
        await runtime.run(BOUND, A=asker, B=silent, durable=True, session=unique)
    assert 2.9 < time.time() - began < 5.1
    with pytest.raises(pavane.SessionFailed, match="had not done") as failed:
        await runtime.run(BOUND, A=asker, B=silent, durable=True, session=unique)
    assert failed.value.error_code == pavane.StepTimedOut.code


SOON = pavane.load("protocol Soon { roles: A, B; A -> B[timeout = 50ms]: M; B -> A: Y }")


async def tardy(me: pavane.Endpoint) -> None:
    await me.sleep(0.15)
    await me.send("M")
    await me.receive("Y")


@pytest.mark.parametrize("lives", range(1, 14))
@pytest.mark.parametrize("stores", [False, True])
async def test_killed_at_any_write_a_step_that_was_late_is_late(
    dying: Dying, hub: Broker, unique: str, lives: int, stores: bool
) -> None:
    """Once anything was done about it, nobody takes the late message."""
    noted: list[str] = []

    async def waiting(me: pavane.Endpoint) -> None:
        try:
            await me.receive("M")
        except TimeoutError:
            noted.append("late")
            raise
        await me.send("Y")

    async def attempt(runtime: pavane.Runtime) -> None:
        with suppress(pavane.StepTimedOut, pavane.SessionAborted):
            await runtime.run(SOON, A=tardy, B=waiting, durable=True, session=unique)

    mortal = await dying(attempt, lives, stores=stores)
    assert noted or mortal.is_dead
    await dying(attempt)
    state = (await SessionHandle(hub, Place("", "Soon", unique)).status()).state
    assert state == "failed" or (state == "done" and not noted)
