"""The one seam through which a session learns the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.endpoint.clock import LoopClock
from pavane.actors.standin import StandIn


class Call:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Jumping(LoopClock):
    """Time that stands still while anything happens, and then is that of the next call."""

    shared: list[Call]
    time = 0.0

    def monotonic(self) -> float:
        return Jumping.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Call:
        call = Call(when, callback)
        self.shared.append(call)
        return call


async def jump(calls: list[Call]) -> None:
    while True:
        await asyncio.sleep(0.1)
        waiting = sorted((c for c in calls if not c.cancelled), key=lambda c: c.when)
        for call in waiting[:1]:
            calls.remove(call)
            Jumping.time = max(Jumping.time, call.when)
            call.callback()


async def test_days_pass_in_no_time_where_the_clock_says_so(
    runtime: pavane.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jumping, "shared", [], raising=False)
    monkeypatch.setattr(Jumping, "time", 0.0)
    monkeypatch.setattr("pavane.actors.live.session.LoopClock", Jumping)
    jumping = asyncio.create_task(jump(Jumping.shared))
    patient = pavane.load("""
        protocol Patient { roles: A, B;
          choice A { soon { A -> B: Soon; } timeout(2d) { A -> B: Late; } }
          @timeout(9d) B -> A: Answer; }""")

    async def a(me: Endpoint) -> float:
        async with me.deadline() as late:
            await asyncio.Event().wait()
        assert late.passed
        passed = Jumping.time
        await me.send("Late")
        await me.receive("Answer")
        return passed

    async def silent(me: Endpoint) -> None:
        await me.receive("Late")
        await asyncio.Event().wait()

    begun = time.monotonic()
    outcome = await runtime.run(patient, A=a, B=StandIn())
    assert outcome["A"] == 2 * 86400
    with pytest.raises(pavane.StepTimedOut) as caught:
        await runtime.run(patient, A=a, B=silent)
    assert caught.value.seconds == 9 * 86400
    assert Jumping.time == (2 + 2 + 9) * 86400
    assert time.monotonic() - begun < 60
    jumping.cancel()


async def test_the_loops_clock_is_that_of_the_machine() -> None:
    clock, heard = LoopClock(), asyncio.Event()
    assert abs(clock.now() - time.time()) < 1
    begun = clock.monotonic()
    clock.call_at(begun + 9, heard.set).cancel()
    clock.call_at(begun + 0.02, heard.set)
    assert not heard.is_set()
    await heard.wait()
    await clock.sleep(0.02)
    assert clock.monotonic() - begun >= 0.035
