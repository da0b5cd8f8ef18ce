"""Sessions one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pavane
from pavane import Accumulated, Endpoint, Outcome, SessionPlan
from pavane.actors.events import Event, MessageSent

Count = Callable[[], Awaitable[int]]

STEP = """#[namespace = "{space}"]
choreography {name} {{ roles: A, B; A -> B: Ask(value: i32); B -> A: Told(value: i32); }}"""


def step(name: str, space: str = "composed") -> pavane.Choreography:
    return pavane.load(STEP.format(name=name, space=space))


def asking(value: int) -> Callable[[Endpoint], Awaitable[int]]:
    async def a(me: Endpoint) -> int:
        await me.send("Ask", value)
        return int((await me.receive("Told")).value)

    return a


async def adding(me: Endpoint) -> None:
    await me.send("Told", (await me.receive("Ask")).value + 1)


async def failing(me: Endpoint) -> None:
    await me.receive("Ask")
    raise ValueError("no such thing")


def plan(name: str, value: int, **more: Any) -> SessionPlan:
    return SessionPlan(step(name), A=asking(value), B=adding, **more)


async def test_a43_a_phase_begins_after_the_one_before_and_gets_its_result(
    runtime: pavane.Runtime,
) -> None:
    events: list[Event] = []
    runtime.observe(events.append)

    def second(so_far: Accumulated) -> SessionPlan:
        return plan("Second", so_far["First"]["A"] * 10)

    async def third(so_far: Accumulated) -> Outcome:
        return await runtime.run(step("Third"), A=asking(so_far.last["A"]), B=adding)

    flow = pavane.Sequence(plan("First", 1), second, third)
    done = await flow.run(runtime)
    assert [done[name]["A"] for name in ("First", "second", "third")] == [2, 21, 22]
    said = [e.session for e in events if isinstance(e, MessageSent)]
    assert said == [done[name].session for name in done.results for _ in range(2)]


async def test_what_came_of_it_is_gone_through_by_name(runtime: pavane.Runtime) -> None:
    at_once = pavane.Parallel(plan("Left", 1), plan("Right", 2))
    done = await pavane.Sequence(first=plan("First", 1), both=at_once).run(runtime)
    assert [*done] == ["first", "both"]
    assert [*done["first"]] == ["A", "B"]
    assert {name: one["A"] for name in done["both"] for one in [done["both"][name]]} == {
        "Left": 2,
        "Right": 3,
    }
    assert "third" not in done


async def test_a43_registered_roles_find_the_result_of_the_phase_before_in_their_input(
    runtime: pavane.Runtime,
) -> None:
    first, second = step("First"), step("Second")
    for one in (first, second):

        @one.role("A")
        async def a(me: Endpoint) -> int:
            handed: Any = me.input
            return await asking(handed if me.input == 5 else handed["A"])(me)

        one.role("B")(adding)
    done = await pavane.Sequence(first, second).run(runtime, 5)
    assert (done["First"]["A"], done["Second"]["A"]) == (6, 7)


@pytest.mark.parametrize("broken", range(4))
async def test_a43_a_failing_phase_is_named_and_stops_the_rest(
    runtime: pavane.Runtime, subscriptions: Count, broken: int
) -> None:
    before = await subscriptions()
    events: list[Event] = []
    runtime.observe(events.append)
    names = ["One", "Two", "Three", "Four"]
    flow = pavane.Sequence(
        *(SessionPlan(step(n), A=asking(i), B=failing if i == broken else adding)
          for i, n in enumerate(names))
    )  # fmt: skip
    with pytest.raises(pavane.PhaseFailed) as caught:
        await flow.run(runtime)
    failed = caught.value
    assert failed.phase == names[broken]
    assert [failed.results[n]["A"] for n in names[:broken]] == list(range(1, broken + 1))
    assert list(failed.results) == names[:broken]
    assert failed.left == tuple(names[broken + 1 :])
    assert isinstance(failed.__cause__, pavane.RoleFailed)
    assert "B raised ValueError: no such thing" in failed.message
    sent = [e for e in events if isinstance(e, MessageSent)]
    assert len(sent) == 2 * broken + 1  # two for each phase that is done, the question of this one
    assert await subscriptions() == before


async def test_a43_a_function_that_fails_is_a_phase_that_fails(runtime: pavane.Runtime) -> None:
    def second(so_far: Accumulated) -> SessionPlan:
        raise KeyError("Carol")

    flow = pavane.Sequence(plan("First", 1), second=second, third=plan("Third", 3))
    with pytest.raises(
        pavane.PhaseFailed, match="phase second failed: KeyError: 'Carol'"
    ) as caught:
        await flow.run(runtime)
    assert caught.value.left == ("third",)


async def test_sequences_nest_and_same_names_are_told_apart(runtime: pavane.Runtime) -> None:
    inner = pavane.Sequence(plan("Ping", 1), plan("Ping", 2))
    done = await pavane.Sequence(inner, plan("Ping", 3)).run(runtime, session="trip")
    assert list(done["sequence"].results) == ["Ping", "Ping-2"]
    assert done["sequence"]["Ping-2"].session == "trip-sequence-Ping-2"
    assert done["Ping"].session == "trip-Ping"
    assert (await pavane.Sequence().run(runtime, 7)).last == 7


async def test_what_cannot_be_played_is_refused_by_its_place(runtime: pavane.Runtime) -> None:
    wrong: Any = 7
    with pytest.raises(
        pavane.InvalidComposition, match=r"member 2 of a Sequence cannot .* of type int"
    ):
        pavane.Sequence(plan("First", 1), wrong)
    forgotten = pavane.Sequence(nothing=lambda so_far: None)
    with pytest.raises(pavane.PhaseFailed, match="nothing returned nothing to play"):
        await forgotten.run(runtime)


async def test_a43_a_durable_sequence_goes_on_where_it_stood(
    runtime: pavane.Runtime, unique: str
) -> None:
    """Its first run is cancelled in the second phase; the next begins nothing again."""
    calls: list[str] = []
    reached = asyncio.Event()
    hold = True

    def noting(name: str, value: int) -> SessionPlan:
        async def a(me: Endpoint) -> int:
            await me.send("Ask", value)
            told = (await me.receive("Told")).value

            async def call() -> None:
                calls.append(name)

            await me.run(call)
            if name == "Two" and hold:
                reached.set()
                await asyncio.sleep(60)
            return int(told)

        return SessionPlan(step(name, unique), A=a, B=adding)

    flow = pavane.Sequence(
        noting("One", 1),
        two=lambda so_far: noting("Two", so_far.last["A"]),
        three=noting("Three", 3),
    )
    async with asyncio.timeout(20):
        first = asyncio.create_task(flow.run(runtime, session=unique, durable=True))
        await reached.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        hold = False
        done = await flow.run(runtime, session=unique, durable=True)
    assert [done[name]["A"] for name in ("One", "two", "three")] == [2, 3, 4]
    assert calls == ["One", "Two", "Three"]


@settings(deadline=None, max_examples=15)
@given(values=st.lists(st.integers(-100, 100), max_size=6))
async def test_a43_state_is_folded_through_any_number_of_phases(values: list[int]) -> None:
    def phase(value: int) -> Callable[[Accumulated], SessionPlan]:
        return lambda so_far: plan("Any", value + sum(o["A"] for o in so_far.results.values()))

    async with pavane.for_testing() as runtime:
        done = await pavane.Sequence(*map(phase, values)).run(runtime)
    expected: list[int] = []
    for value in values:
        expected.append(value + sum(expected) + 1)
    assert [outcome["A"] for outcome in done.results.values()] == expected
