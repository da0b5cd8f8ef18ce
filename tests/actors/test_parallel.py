"""`parallel`: the branches overlap in time, join at the end, and never share a channel."""

from __future__ import annotations

import anyio
import pytest

import pavane
from pavane.language.compiler import verdicts

BOTH = """choreography Both {
    roles: Hub, Left, Right;

    parallel {
        Hub -> Left: Go; Left -> Hub: DoneLeft(steps: int)
        |
        Hub -> Right: Go; Right -> Hub: DoneRight(steps: int)
    }
    Hub -> Left: Bye;
}"""


async def test_a19_the_branches_overlap_and_join(broker_url: str) -> None:
    """Each side waits for the other inside its branch: one after the other they would hang."""
    left_is_in, right_is_in = anyio.Event(), anyio.Event()

    async def left(me: pavane.Endpoint) -> None:
        await me.receive("Go")
        left_is_in.set()
        await right_is_in.wait()
        await me.send("DoneLeft", steps=1)
        await me.receive("Bye")

    async def right(me: pavane.Endpoint) -> None:
        await me.receive("Go")
        right_is_in.set()
        await left_is_in.wait()
        await me.send("DoneRight", steps=2)

    async def hub(me: pavane.Endpoint) -> int:
        await me.send("Go", to="Left")
        await me.send("Go", to="Right")
        second = await me.receive("DoneRight")
        first = await me.receive("DoneLeft")
        await me.send("Bye")
        return int(first.steps + second.steps)

    async with pavane.open(broker_url) as runtime:
        with anyio.fail_after(10):
            outcome = await runtime.run(pavane.load(BOTH), Hub=hub, Left=left, Right=right)
    assert outcome["Hub"] == 3


async def test_a19_nothing_goes_on_before_both_branches_are_over(broker_url: str) -> None:
    async def hub(me: pavane.Endpoint) -> None:
        await me.send("Go", to="Left")
        await me.receive("DoneLeft")
        await me.send("Bye")

    async def left(me: pavane.Endpoint) -> None:
        await me.receive("Go")
        await me.send("DoneLeft", steps=1)
        await me.receive("Bye")

    async def right(me: pavane.Endpoint) -> None:
        await me.receive("Go")

    async with pavane.open(broker_url) as runtime:
        with pytest.raises(pavane.ProtocolViolation, match="Hub cannot do !Bye"):
            await runtime.run(pavane.load(BOTH), Hub=hub, Left=left, Right=right)


def test_a19_two_branches_on_one_channel_are_refused() -> None:
    text = "choreography P { roles: A, B; parallel { A -> B: X | A -> B: Y } }"
    (verdict,) = verdicts(text)
    assert [d.code for d in verdict.diagnostics] == ["PV142"]
