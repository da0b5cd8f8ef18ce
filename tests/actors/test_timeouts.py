"""Times that the protocol sets, kept by the roles that play it; and sessions that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.errors import UnknownSession
from pavane.actors.standin import StandIn

Role = Callable[[Endpoint], Awaitable[Any]]

APPROVAL = pavane.load("""
    protocol Approval {
        roles: Clerk, Boss, Archive;
        Clerk -> Boss: Ask(amount: int);
        choice at Boss {
            approve { Boss -> Clerk: Approve; Clerk -> Archive: Approved; }
            reject { Boss -> Clerk: Reject; Clerk -> Archive: Rejected; }
            timeout(300ms) { Boss -> Clerk: Late; Clerk -> Archive: Given; }
        }
    }
""")


async def clerk(me: Endpoint) -> str:
    await me.send("Ask", amount=3)
    answer = await me.offer()
    await me.send({"Approve": "Approved", "Reject": "Rejected", "Late": "Given"}[answer.label])
    return answer.branch


async def archive(me: Endpoint) -> str:
    return (await me.offer()).label


def boss_thinking(seconds: float) -> Role:
    async def boss(me: Endpoint) -> bool:
        await me.receive("Ask")
        async with me.deadline() as late:
            await asyncio.sleep(seconds)
        await me.send("Late" if late.passed else "Approve")
        return late.passed

    return boss


# --- a timeout branch ---


@pytest.mark.parametrize(
    ("seconds", "branch", "told"), [(0.0, "approve", "Approved"), (9.0, "timeout", "Given")]
)
async def test_who_chooses_in_time_has_all_branches_and_later_only_the_timeout(
    runtime: pavane.Runtime, seconds: float, branch: str, told: str
) -> None:
    async with asyncio.timeout(10):
        outcome = await runtime.run(
            APPROVAL, Clerk=clerk, Boss=boss_thinking(seconds), Archive=archive
        )
    assert outcome["Clerk"] == branch
    assert outcome["Archive"] == told
    assert outcome["Boss"] is (branch == "timeout")


async def test_the_timeout_branch_is_refused_before_its_time_and_the_others_after_it(
    runtime: pavane.Runtime,
) -> None:
    async def boss(me: Endpoint) -> None:
        assert me.time_left is None
        await me.receive("Ask")
        assert me.time_left is not None and 0 < me.time_left <= 0.3
        for early in (me.send("Late"), me.choose("timeout")):
            with pytest.raises(pavane.TooEarly) as refused:
                await early
            assert 0 < refused.value.wait <= refused.value.seconds == 0.3
        await asyncio.sleep(0.35)
        assert me.time_left == 0
        for late in (me.send("Approve"), me.send("Reject"), me.choose("reject")):
            with pytest.raises(pavane.TooLate, match="the 300ms in which to decide are over"):
                await late
        await me.choose("timeout")
        await me.send("Late")

    outcome = await runtime.run(APPROVAL, Clerk=clerk, Boss=boss, Archive=archive)
    assert outcome["Clerk"] == "timeout"
    assert outcome.tallies["Boss"].sent == 1


async def test_what_was_decided_in_time_may_be_said_afterwards(runtime: pavane.Runtime) -> None:
    async def boss(me: Endpoint) -> None:
        await me.receive("Ask")
        async with me.deadline() as late:
            pass
        await asyncio.sleep(0.4)
        assert not late.passed
        await me.send("Approve")

    async def chooser(me: Endpoint) -> None:
        await me.receive("Ask")
        await me.choose("reject")
        await asyncio.sleep(0.4)
        await me.send("Reject")

    outcome = await runtime.run(APPROVAL, Clerk=clerk, Boss=boss, Archive=archive)
    assert outcome["Clerk"] == "approve"
    outcome = await runtime.run(APPROVAL, Clerk=clerk, Boss=chooser, Archive=archive)
    assert outcome["Clerk"] == "reject"


async def test_a_choice_in_a_loop_has_its_time_anew_in_every_round(
    runtime: pavane.Runtime,
) -> None:
    rounds = pavane.load("""
        protocol Rounds { roles: A, B;
          loop (count: 4) {
            choice A { say { A -> B: Say; } timeout(300ms) { A -> B: Silence; } }
            B -> A: Noted; } }""")

    async def a(me: Endpoint) -> list[bool]:
        passed: list[bool] = []
        for pause in (0.0, 9.0, 0.0, 0.0):
            async with me.deadline() as late:
                await asyncio.sleep(pause)
            await me.send("Silence" if late.passed else "Say")
            await me.receive("Noted")
            passed.append(late.passed)
        return passed

    outcome = await runtime.run(rounds, A=a, B=StandIn())
    assert outcome["A"] == [False, True, False, False]


async def test_choices_inside_a_choice_close_one_after_the_other(runtime: pavane.Runtime) -> None:
    nested = pavane.load("""
        protocol Nested { roles: A, B, C;
          choice A {
            ask { choice A { now { A -> B: Now; } timeout(60ms) { A -> B: Soon; } } A -> C: Asked; }
            timeout(140ms) { A -> B: Never; A -> C: Dropped; } } }""")

    async def a(me: Endpoint) -> int:
        seen = 0
        for limit in range(2):
            async with me.deadline() as late:
                await asyncio.sleep(9)
            seen += late.passed
            with pytest.raises(pavane.TooLate):
                await me.send("Soon" if limit else "Now")
        await me.send("Never")
        await me.send("Dropped")
        return seen

    outcome = await runtime.run(nested, A=a, B=StandIn(), C=StandIn())
    assert outcome["A"] == 2


async def test_stand_ins_take_the_timeout_branch_where_no_other_can_be_taken(
    runtime: pavane.Runtime,
) -> None:
    stuck = pavane.load("""
        protocol Stuck { roles: A, B;
          A -> B: Told(count: int);
          choice A { never when (count < 0 and count > 0) { A -> B: Never; }
                     timeout(50ms) { A -> B: Late; } } }""")
    heard: list[str] = []

    async def b(me: Endpoint) -> None:
        await me.receive("Told")
        heard.append((await me.offer()).label)

    await runtime.run(stuck, A=StandIn(), B=b)
    for seed in range(5):
        await runtime.run(APPROVAL, Clerk=StandIn(seed), Boss=StandIn(seed), Archive=StandIn(seed))
    assert heard == ["Late"]


# --- the time of a step, and of a block ---

STEPS = pavane.load("""
    protocol Steps { roles: A, B, C;
      @timeout(300ms) A -> B: Both;
      B[timeout = 300ms] -> C: Sent;
      C -> A[timeout = 500ms]: Heard;
      @timeout(900ms) loop { A -> B: Ping; B -> A: Pong; }
    }
""")


def stalling(at: str) -> dict[str, Role]:
    """Roles of `Steps` of which one does nothing where it should do `at`."""

    def role(*steps: tuple[str, str]) -> Role:
        async def play(me: Endpoint) -> None:
            async def do(verb: str, label: str) -> None:
                if f"{verb}{label}" == at:
                    await asyncio.Event().wait()
                await (me.send(label) if verb == "!" else me.receive(label))

            for verb, label in steps:
                await do(verb, label)
            ends = {"A": ("!Ping", "?Pong"), "B": ("?Ping", "!Pong")}.get(me.name, ())
            while ends:
                for step in ends:
                    await do(step[0], step[1:])
                await asyncio.sleep(0.001)

        return play

    return {
        "A": role(("!", "Both"), ("?", "Heard")),
        "B": role(("?", "Both"), ("!", "Sent")),
        "C": role(("?", "Sent"), ("!", "Heard")),
    }


@pytest.mark.parametrize(
    ("at", "late", "block"),
    [
        ("!Both", {"A": "B!Both", "B": "A?Both"}, False),
        ("!Sent", {"B": "C!Sent"}, False),
        ("!Heard", {"A": "C?Heard"}, False),
        ("!Pong", {"A": "B?Pong", "B": "A!Pong"}, True),
        ("", {"A": "", "B": ""}, True),
    ],
)
async def test_a_step_that_takes_too_long_ends_the_session_everywhere(
    runtime: pavane.Runtime, at: str, late: dict[str, str], block: bool
) -> None:
    heard: dict[str, BaseException] = {}

    def hearing(play: Role) -> Role:
        async def role(me: Endpoint) -> None:
            try:
                await play(me)
                await asyncio.Event().wait()
            except BaseException as error:
                heard[me.name] = error
                raise

        return role

    roles = {name: hearing(play) for name, play in stalling(at).items()}
    with pytest.raises(pavane.StepTimedOut) as caught:
        async with asyncio.timeout(10):
            await runtime.run(STEPS, roles)
    error = caught.value
    assert isinstance(error, TimeoutError) and error.retryable
    assert error.role in late and error.step.endswith(late[error.role])
    alone = 0.5 if at == "!Heard" else 0.3
    assert (error.seconds, error.block) == ((0.9, True) if block else (alone, False))
    assert len(heard) == 3
    said = [e for e in heard.values() if isinstance(e, pavane.SessionAborted)]
    assert all(error.role == e.role for e in said)


async def test_a_message_that_waits_to_be_read_has_come_in_time(runtime: pavane.Runtime) -> None:
    slow = pavane.load("protocol Slow { roles: A, B; A -> B[timeout = 60ms]: M; B -> A: N; }")

    async def b(me: Endpoint) -> None:
        await asyncio.sleep(0.15)
        await me.receive("M")
        await me.send("N")

    await runtime.run(slow, A=StandIn(), B=b)


async def test_the_branches_of_parallel_are_timed_by_themselves(runtime: pavane.Runtime) -> None:
    both = pavane.load("""
        protocol Both { roles: A, B, C;
          parallel { loop (count: 30) { A -> B: Tick; B -> A: Tock; }
                   | @timeout(250ms) C -> A: Word; } }""")

    async def a(me: Endpoint) -> None:
        async def tick() -> None:
            for _ in range(30):
                await me.send("Tick")
                await me.receive("Tock")
                await asyncio.sleep(0.01)

        await asyncio.gather(tick(), me.receive("Word"))

    async def silent(me: Endpoint) -> None:
        await asyncio.sleep(9)

    async def prompt(me: Endpoint) -> None:
        await me.send("Word")

    await runtime.run(both, A=a, B=StandIn(), C=prompt)
    with pytest.raises(pavane.StepTimedOut) as caught:
        await runtime.run(both, A=a, B=StandIn(), C=silent)
    assert caught.value.seconds == 0.25


# --- cancelling a session ---

ENDLESS = """#[namespace = "%s"] protocol Endless { roles: A, B;
    loop { A -> B: Ping; B -> A: Pong; } }"""


@pytest.fixture
async def second(broker_url: str) -> AsyncGenerator[pavane.Runtime]:
    async with pavane.open(broker_url) as opened:
        yield opened


def playing(ends: list[str], verbs: str) -> Role:
    async def role(me: Endpoint) -> None:
        try:
            while True:
                for verb in verbs:
                    await (
                        me.send("Ping" if me.name == "A" else "Pong")
                        if verb == "!"
                        else me.receive()
                    )
        except pavane.SessionCancelled as error:
            ends.append(f"{me.name}: {error.role}: {error.reason}")
            raise
        finally:
            ends.append(f"{me.name} cleaned up")

    return role


async def test_a39_a_cancelled_session_ends_for_every_role_here_and_elsewhere(
    runtime: pavane.Runtime, second: pavane.Runtime, unique: str
) -> None:
    endless = pavane.load(ENDLESS % unique)
    ends: list[str] = []
    here = asyncio.create_task(runtime.join(endless, session="s", A=playing(ends, "!?")))
    there = asyncio.create_task(second.join(endless, session="s", B=playing(ends, "?!")))
    await asyncio.sleep(0.2)
    with pytest.raises(UnknownSession, match="no session t runs here"):
        runtime.cancel("t")
    runtime.cancel("s", "the shop is closing", who="the owner")
    async with asyncio.timeout(10):
        for running in (here, there):
            with pytest.raises(pavane.SessionCancelled) as caught:
                await running
            assert caught.value.role == "the owner"
            assert caught.value.reason == "the shop is closing"
    assert sorted(ends) == [
        "A cleaned up",
        "A: the owner: the shop is closing",
        "B cleaned up",
        "B: the owner: the shop is closing",
    ]
    with pytest.raises(UnknownSession):
        runtime.cancel("s")
