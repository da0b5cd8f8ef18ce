"""Resilience around whole protocols and around roles, on every driver."""

from __future__ import annotations

import asyncio

import anyio
import pytest

import pavane
from pavane import Endpoint
from pavane.actors.errors import SessionLost
from pavane.actors.events import SessionOpened
from pavane.actors.live import recovery
from pavane.broker.embedded import Server, free_ports
from pavane.effects.resilience.breaker import Change
from pavane.language.errors import PavaneError

ASK = "protocol Ask { roles: A, B; A -> B: Question(int); B -> A: Answer(int); }"
FAST = pavane.Retry(attempts=4, base=0.001)


class Service:
    """Something outside that fails the first `failures` times."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.calls = 0
        self.error = error or ConnectionError("down")

    async def answer(self, question: int) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return question + 1


async def a(me: Endpoint) -> int:
    await me.send("Question", 41)
    answer: int = await me.receive("Answer")
    return answer


class Roles:
    """`b` asks the service, and everything that `a` ever sent is counted."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.questions = 0

    async def b(self, me: Endpoint) -> None:
        question = await me.receive("Question")
        self.questions += 1
        await me.send("Answer", await self.service.answer(question))


def opened(runtime: pavane.Runtime) -> list[str]:
    sessions: list[str] = []

    def observe(event: object) -> None:
        if isinstance(event, SessionOpened):
            sessions.append(event.session)

    runtime.observe(observe)
    return sessions


async def test_a38_a_protocol_is_played_again_as_a_new_session(runtime: pavane.Runtime) -> None:
    sessions = opened(runtime)
    roles = Roles(Service(failures=2))
    steady = pavane.ResilientRuntime(runtime, retry=FAST)
    outcome = await steady.run(pavane.load(ASK), A=a, B=roles.b)
    assert outcome["A"] == 42
    assert roles.questions == 3
    assert len(set(sessions)) == 3 and outcome.session == sessions[-1]


async def test_a38_a_named_session_counts_its_attempts(runtime: pavane.Runtime) -> None:
    sessions = opened(runtime)
    roles = Roles(Service(failures=2))
    await pavane.ResilientRuntime(runtime, retry=FAST).run(
        pavane.load(ASK), {"A": a, "B": roles.b}, session="order"
    )
    assert sessions == ["order", "order-2", "order-3"]


async def test_a38_a_durable_session_is_played_again_with_its_input(
    runtime: pavane.Runtime,
) -> None:
    roles = Roles(Service(failures=1))

    async def asking(me: Endpoint) -> int:
        await me.send("Question", me.input)
        answer: int = await me.receive("Answer")
        return answer

    outcome = await pavane.ResilientRuntime(runtime, retry=FAST).run(
        pavane.load(ASK), A=asking, B=roles.b, session="kept", durable=True, input=6
    )
    assert (outcome["A"], outcome.session) == (7, "kept-2")


async def test_a38_the_last_sessions_error_comes_back(runtime: pavane.Runtime) -> None:
    roles = Roles(Service(failures=99))
    with pytest.raises(pavane.RoleFailed) as caught:
        await pavane.ResilientRuntime(runtime, retry=FAST).run(pavane.load(ASK), A=a, B=roles.b)
    assert roles.questions == 4
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "attempt 4 of Ask" in caught.value.__notes__[0]


@pytest.mark.parametrize("error", [ValueError("a bug"), pavane.PayloadError("unfit")])
async def test_a38_a_bug_of_a_role_is_not_played_again(
    runtime: pavane.Runtime, error: Exception
) -> None:
    roles = Roles(Service(1, error))
    with pytest.raises(PavaneError):
        await pavane.ResilientRuntime(runtime, retry=FAST).run(pavane.load(ASK), A=a, B=roles.b)
    assert roles.questions == 1


async def test_a38_a_session_that_takes_too_long_is_cancelled_and_leaves_nothing(
    runtime: pavane.Runtime,
) -> None:
    cancelled: list[int] = []

    async def b(me: Endpoint) -> None:
        question = await me.receive("Question")
        try:
            await asyncio.sleep(0 if len(cancelled) == 2 else 3600)
        except asyncio.CancelledError:
            cancelled.append(question)
            raise
        await me.send("Answer", 7)

    steady = pavane.ResilientRuntime(runtime, retry=FAST, timeout=0.2)
    before = {t for t in asyncio.all_tasks() if "pavane-play" in t.get_name()}
    assert (await steady.run(pavane.load(ASK), A=a, B=b))["A"] == 7
    assert cancelled == [41, 41]
    assert {t for t in asyncio.all_tasks() if "pavane-play" in t.get_name()} == before


async def test_a39_an_open_circuit_does_not_touch_the_protocol(runtime: pavane.Runtime) -> None:
    sessions = opened(runtime)
    changes: list[Change] = []
    now = 0.0
    breakers = pavane.Breakers(
        pavane.Fuse(threshold=3, recovery=30.0), clock=lambda: now, observe=changes.append
    )
    steady = pavane.ResilientRuntime(runtime, breakers=breakers)
    ask, roles = pavane.load(ASK), Roles(Service(failures=3))
    for _ in range(3):
        with pytest.raises(pavane.RoleFailed):
            await steady.run(ask, A=a, B=roles.b)
    with pytest.raises(pavane.CircuitOpen) as caught:
        await steady.run(ask, A=a, B=roles.b)
    assert (caught.value.service, caught.value.until) == ("Ask", 30.0)
    assert (len(sessions), roles.questions) == (3, 3)

    other = pavane.load(ASK.replace("Ask", "Other"))
    assert (await steady.run(other, A=a, B=roles.b))["A"] == 42

    now = 30.0
    assert (await steady.run(ask, A=a, B=roles.b))["A"] == 42
    assert [c.after for c in changes] == ["open", "half-open", "closed"]


async def test_a_bulkhead_bounds_the_sessions_of_a_protocol(runtime: pavane.Runtime) -> None:
    gate, most, playing = asyncio.Event(), 0, 0

    async def b(me: Endpoint) -> None:
        nonlocal most, playing
        question = await me.receive("Question")
        playing += 1
        most = max(most, playing)
        await gate.wait()
        playing -= 1
        await me.send("Answer", question)

    ask = pavane.load(ASK)
    steady = pavane.ResilientRuntime(runtime, bulkheads=pavane.Bulkheads(2, 1))
    runs = [asyncio.create_task(steady.run(ask, A=a, B=b)) for _ in range(5)]
    with anyio.fail_after(5):
        while sum(run.done() for run in runs) < 2 or playing < 2:
            await asyncio.sleep(0.001)
    gate.set()
    results = await asyncio.gather(*runs, return_exceptions=True)
    assert sum(isinstance(r, pavane.BulkheadFull) for r in results) == 2
    assert most == 2


async def test_a38_a_session_lost_with_its_broker_is_played_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`kill -9` of a real server in the middle, which stays away longer than a session waits."""
    monkeypatch.setattr(recovery, "PATIENCE", 0.2)
    (port,) = free_ports(1)
    asked: list[int] = []
    told: list[Exception] = []

    async with Server(port=port) as server:

        async def back() -> None:
            await asyncio.sleep(1.0)
            await server.start()

        async def b(me: Endpoint) -> None:
            asked.append(await me.receive("Question"))
            if len(asked) == 1:
                await server.kill()
                starting.append(asyncio.create_task(back()))
            await me.send("Answer", 42)

        starting: list[asyncio.Task[None]] = []
        retry = pavane.Retry(attempts=9, base=0.2, observe=lambda t: told.append(t.error))
        async with pavane.open(server.url) as runtime, asyncio.timeout(20):
            steady = pavane.ResilientRuntime(runtime, retry=retry)
            assert (await steady.run(pavane.load(ASK), A=a, B=b))["A"] == 42
        await asyncio.gather(*starting)
    assert len(asked) == 2
    assert isinstance(told[0], SessionLost)


# --- one role ------------------------------------------------------------------------------


async def test_a38_a_call_in_the_middle_of_a_part_is_tried_again_by_itself(
    runtime: pavane.Runtime,
) -> None:
    service = Service(failures=3)
    answer = pavane.resilient(retry=FAST)(service.answer)

    async def b(me: Endpoint) -> None:
        await me.send("Answer", await answer(await me.receive("Question")))

    assert (await runtime.run(pavane.load(ASK), A=a, B=b))["A"] == 42
    assert service.calls == 4


async def test_a38_a_role_is_tried_again_before_its_first_step_only(
    runtime: pavane.Runtime,
) -> None:
    begun: list[str] = []

    @pavane.resilient_role(retry=FAST)
    async def early(me: Endpoint) -> int:
        begun.append(me.name)
        if len(begun) < 3:
            raise ConnectionError("no database yet")
        return await a(me)

    roles = Roles(Service(failures=0))
    assert (await runtime.run(pavane.load(ASK), A=early, B=roles.b))["A"] == 42
    assert (begun, roles.questions) == (["A"] * 3, 1)

    tries = 0

    @pavane.resilient_role(retry=FAST)
    async def late(me: Endpoint) -> None:
        nonlocal tries
        tries += 1
        await me.receive("Question")
        raise ConnectionError("down")

    with pytest.raises(pavane.RoleFailed, match="B raised ConnectionError"):
        await runtime.run(pavane.load(ASK), A=a, B=late)
    assert tries == 1


async def test_a38_a_role_that_takes_too_long_ends_the_session(runtime: pavane.Runtime) -> None:
    @pavane.resilient_role(timeout=0.05)
    async def b(me: Endpoint) -> None:
        await me.receive("Question")
        await asyncio.sleep(3600)

    with pytest.raises(pavane.TimedOut) as caught:
        await runtime.run(pavane.load(ASK), A=a, B=b)
    assert (caught.value.operation, caught.value.seconds) == ("B", 0.05)
