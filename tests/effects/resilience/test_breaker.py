from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.broker.errors import NotConnected
from pavane.effects.errors import CapabilityDenied, InvalidEffect
from pavane.effects.resilience.breaker import Breaker, Breakers, Change, Fuse, State
from pavane.effects.resilience.errors import CircuitOpen, TimedOut
from pavane.effects.resilience.resilient import Resilience, resilient
from pavane.effects.resilience.retry import Retry

Virtual = Callable[[Coroutine[Any, Any, Any]], Any]
Ending = Literal["ok", "fail", "denied", "cancel"]


class Bench:
    """A breaker on a clock that is set by hand, and calls that end when they are told to."""

    def __init__(self, fuse: Fuse) -> None:
        self.now = 100.0
        self.changes: list[Change] = []
        self.breaker = Breaker("bank", fuse, clock=lambda: self.now, observe=self.changes.append)
        self.begun = 0

    async def ok(self) -> str:
        self.begun += 1
        return "ok"

    async def fail(self) -> str:
        self.begun += 1
        raise ConnectionError

    async def failing(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(ConnectionError):
                await self.breaker.call(self.fail)

    async def refused(self) -> CircuitOpen:
        before = self.begun
        with pytest.raises(CircuitOpen) as caught:
            await self.breaker.call(self.ok)
        assert self.begun == before, "the operation was touched"
        return caught.value


async def test_a39_opens_at_the_threshold_and_refuses_at_once() -> None:
    bench = Bench(Fuse(threshold=3, recovery=10.0))
    await bench.failing(2)
    assert (bench.breaker.state, bench.breaker.failures) == ("closed", 2)
    await bench.failing(1)
    bench.now = 104.0
    error = await bench.refused()
    assert (error.service, error.until, error.wait) == ("bank", 110.0, 6.0)
    assert "bank is open for another 6 s" in error.message
    assert bench.begun == 3


async def test_a39_only_failures_in_a_row_count() -> None:
    bench = Bench(Fuse(threshold=3))
    for _ in range(10):
        await bench.failing(2)
        await bench.breaker.call(bench.ok)
    assert bench.breaker.state == "closed"


async def test_a39_half_open_lets_the_probes_through_and_closes_after_them() -> None:
    bench = Bench(Fuse(threshold=1, recovery=10.0, probes=2))
    await bench.failing(1)
    bench.now = 110.0
    state: State = bench.breaker.state
    assert state == "half-open"
    assert await bench.breaker.call(bench.ok) == "ok"
    state = bench.breaker.state
    assert state == "half-open"
    assert await bench.breaker.call(bench.ok) == "ok"
    state = bench.breaker.state
    assert state == "closed"
    assert [(c.before, c.after) for c in bench.changes] == [
        ("closed", "open"),
        ("open", "half-open"),
        ("half-open", "closed"),
    ]


async def test_a39_a_probe_that_fails_opens_it_for_the_whole_time_again() -> None:
    bench = Bench(Fuse(threshold=5, recovery=10.0, probes=3))
    await bench.failing(5)
    bench.now = 111.0
    await bench.failing(1)
    assert (await bench.refused()).until == 121.0


@pytest.mark.parametrize("probes", [1, 3])
async def test_a39_probes_are_counted_exactly_under_concurrency(probes: int) -> None:
    bench = Bench(Fuse(threshold=1, recovery=1.0, probes=probes))
    await bench.failing(1)
    bench.now += 1.0
    gate = asyncio.Event()
    inside = 0

    async def slow() -> None:
        nonlocal inside
        inside += 1
        await gate.wait()

    calls = [asyncio.create_task(bench.breaker.call(slow)) for _ in range(200)]
    refused = 0
    while refused < 200 - probes:
        await asyncio.sleep(0)
        refused = sum(call.done() for call in calls)
    assert inside == probes
    gate.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(r, CircuitOpen) for r in results) == 200 - probes
    assert bench.breaker.state == "closed"


async def test_a39_a_probe_that_has_succeeded_keeps_its_place() -> None:
    bench = Bench(Fuse(threshold=1, recovery=1.0, probes=2))
    await bench.failing(1)
    bench.now += 1.0
    await bench.breaker.call(bench.ok)
    second = asyncio.create_task(bench.breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    await bench.refused()
    second.cancel()
    await asyncio.wait([second])


@pytest.mark.parametrize("ending", ["ok", "fail"])
async def test_a39_what_was_begun_before_it_opened_changes_nothing(ending: Ending) -> None:
    bench = Bench(Fuse(threshold=1, recovery=1.0))
    early = [Call(bench.breaker) for _ in range(2)]
    await asyncio.sleep(0)
    await bench.failing(1)
    until = (await bench.refused()).until
    bench.now += 0.5
    await early[0].finish(ending)
    assert (await bench.refused()).until == until
    bench.now += 0.5
    probe = Call(bench.breaker)
    await asyncio.sleep(0)
    await early[1].finish(ending)
    state: State = bench.breaker.state
    assert state == "half-open"
    await probe.finish("ok")
    state = bench.breaker.state
    assert state == "closed"


async def test_a_cancelled_probe_frees_its_place() -> None:
    bench = Bench(Fuse(threshold=1, recovery=1.0))
    await bench.failing(1)
    bench.now += 1.0
    probe = asyncio.create_task(bench.breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    assert (await bench.refused()).wait == 0.0
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await bench.breaker.call(bench.ok) == "ok"
    assert bench.breaker.state == "closed"


async def test_a_denial_does_not_tell_against_the_service() -> None:
    bench = Bench(Fuse(threshold=1))

    async def denied() -> None:
        raise CapabilityDenied("n:x", "Admin", None, "no token")

    for _ in range(5):
        with pytest.raises(CapabilityDenied):
            await bench.breaker.call(denied)
    assert bench.breaker.state == "closed"


# --- against a model, in any interleaving ---------------------------------------------------


@dataclass
class Model:
    """The rules of a breaker, written once more as plainly as they can be."""

    threshold: int
    recovery: float
    probes: int
    state: State = "closed"
    failures: int = 0
    until: float = 0.0
    passed: int = 0
    inside: set[int] = field(default_factory=set[int])  # calls begun in the present state

    def enter(self, call: int, now: float) -> bool:
        if self.state == "open" and now >= self.until:
            self.turn("half-open")
        let = self.state == "closed" or (
            self.state == "half-open" and len(self.inside) + self.passed < self.probes
        )
        if let:
            self.inside.add(call)
        return let

    def leave(self, call: int, ending: Ending, now: float) -> None:
        if call not in self.inside:
            return
        self.inside.remove(call)
        if ending == "ok":
            self.failures = 0
            self.passed += self.state == "half-open"
            if self.state == "half-open" and self.passed == self.probes:
                self.turn("closed")
        elif ending == "fail":
            self.failures += 1
            if self.state == "half-open" or self.failures == self.threshold:
                self.until = now + self.recovery
                self.turn("open")

    def turn(self, state: State) -> None:
        self.state, self.failures, self.passed = state, 0, 0
        self.inside.clear()


class Call:
    """One call in flight, which ends as it is told."""

    def __init__(self, breaker: Breaker) -> None:
        self.begun = False
        self._end: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(breaker.call(self._operation))

    async def _operation(self) -> None:
        self.begun = True
        ending = await self._end
        if ending == "fail":
            raise NotConnected("bank", "cut")
        if ending == "denied":
            raise CapabilityDenied("n:x", "Admin", None, "no token")

    async def finish(self, ending: Ending) -> None:
        if ending == "cancel":
            self.task.cancel()
        else:
            self._end.set_result(ending)
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()


begins = st.just(("begin", 0))
commands = st.one_of(
    begins,
    begins,
    begins,
    st.tuples(st.sampled_from(["ok", "fail"]), st.integers(0, 9)),
    st.tuples(st.sampled_from(["ok", "fail", "denied", "cancel"]), st.integers(0, 9)),
    st.tuples(st.just("later"), st.sampled_from([3, 10])),
)


@settings(max_examples=200, deadline=None)
@given(
    threshold=st.integers(1, 2),
    probes=st.integers(1, 3),
    script=st.lists(commands, min_size=20, max_size=80),
)
def test_a39_any_interleaving_does_as_the_model(
    virtual: Virtual, threshold: int, probes: int, script: list[tuple[Any, int]]
) -> None:
    async def main() -> None:
        bench = Bench(Fuse(threshold=threshold, recovery=10.0, probes=probes))
        model = Model(threshold, 10.0, probes)
        running: dict[int, Call] = {}
        for number, (command, value) in enumerate(script):
            if command == "begin":
                call = Call(bench.breaker)
                await asyncio.sleep(0)
                assert call.begun == model.enter(number, bench.now)
                if call.begun:
                    running[number] = call
                else:
                    assert isinstance(call.task.exception(), CircuitOpen)
            elif command == "later":
                bench.now += value
            elif running:
                chosen = sorted(running)[value % len(running)]
                await running.pop(chosen).finish(command)
                model.leave(chosen, command, bench.now)
            due = model.state == "open" and bench.now >= model.until
            assert bench.breaker.state == ("half-open" if due else model.state)
        for call in running.values():
            await call.finish("cancel")

    virtual(main())


# --- many services, and all together ---------------------------------------------------------


async def test_a39_each_service_has_its_own() -> None:
    breakers = Breakers(Fuse(threshold=1), fuses={"tough": Fuse(threshold=2)})
    assert breakers["bank"] is breakers["bank"]

    async def fail() -> None:
        raise ConnectionError

    for service in ("bank", "tough"):
        with pytest.raises(ConnectionError):
            await breakers[service].call(fail)
    assert "post" not in breakers
    states = {name: breaker.state for name, breaker in breakers.items()}
    assert states == {"bank": "open", "tough": "closed"}
    assert breakers["post"].state == "closed"
    assert len(breakers) == 3


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0}, {"threshold": 2.5}, {"probes": 0}, {"probes": 1.5}, {"recovery": -1}],
)
def test_a_fuse_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEffect):
        Fuse(**wrong)


def test_a39_a_service_that_hangs_opens_its_breaker_through_the_timeout(virtual: Virtual) -> None:
    async def main() -> list[type[BaseException]]:
        breaker = Breaker("bank", Fuse(threshold=2, recovery=60.0))
        met: list[type[BaseException]] = []

        @resilient(retry=Retry(attempts=4, base=0.1), breaker=breaker, timeout=1.0)
        async def hang() -> None:
            await anyio.sleep(3600)

        try:
            await hang()
        except CircuitOpen as error:
            met.append(type(error))
            assert error.__notes__[0].count("TimedOut") == 2
        # Two timeouts and their delays: the third attempt was refused, and not retried.
        assert 2.0 < anyio.current_time() < 2.5
        return met

    assert virtual(main()) == [CircuitOpen]


def test_the_retrys_own_timeout_counts_for_the_breaker_too(virtual: Virtual) -> None:
    breaker = Breaker("bank", Fuse(threshold=9))

    async def hang() -> None:
        await anyio.sleep(3600)

    async def main() -> int:
        with pytest.raises(TimedOut):
            await Resilience(Retry(attempts=3, timeout=1.0), breaker=breaker).call(hang)
        return breaker.failures

    assert virtual(main()) == 3


async def test_without_anything_an_operation_is_just_run() -> None:
    async def operation() -> int:
        return 7

    call: Callable[[], Awaitable[int]] = operation
    assert await Resilience().call(call) == 7
