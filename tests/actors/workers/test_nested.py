"""Roles that workers play and that hand their work on to other sessions."""

from __future__ import annotations

import asyncio

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.workers import job, relief

TEXT = '#[namespace = "%s"] protocol Down { roles: A, B; A -> B: Dig(int); B -> A: Found(int) }'
PARENT = '#[namespace = "%s"] protocol Parent { roles: Up, Down; Up -> Down: Told }'


def down(space: str, *, durable: bool = False, workers: bool = False) -> pavane.Choreography:
    """B has a session of the same protocol dig one deeper, down to 0."""
    found = pavane.load(TEXT % space)

    @found.role("A")
    async def a(me: Endpoint) -> int:
        await me.send("Dig", me.input)
        return int(await me.receive("Found"))

    @found.role("B")
    async def b(me: Endpoint) -> None:
        depth = int(await me.receive("Dig"))
        if depth:
            plan = pavane.SessionPlan(found, input=depth - 1, durable=durable, workers=workers)
            child = await pavane.delegate(me, plan)
            await me.send("Found", child["A"] + 1)
        else:
            await me.send("Found", 0)

    return found


async def dug(url: str, chosen: pavane.Choreography, capacity: int, *depths: int) -> None:
    async with pavane.open(url) as runtime, asyncio.timeout(60):
        worker = pavane.Worker(runtime, capacity=capacity)
        worker.serve(chosen)
        working = asyncio.create_task(worker.run())
        handles = [await runtime.start(chosen, input=depth, patience=10) for depth in depths]
        outcomes = await asyncio.gather(*(handle.result() for handle in handles))
        assert [outcome["A"] for outcome in outcomes] == list(depths)
        worker.drain(0)
        await working


@pytest.mark.parametrize("how", [{}, {"durable": True}, {"workers": True}], ids=str)
async def test_a_workers_role_hands_on_to_a_session_of_any_kind(
    broker_url: str, unique: str, how: dict[str, bool]
) -> None:
    await dug(broker_url, down(unique, **how), 100, 2, 1)


async def test_parents_never_keep_their_children_from_being_played(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four places, and sessions four deep whose parents all wait for their children."""
    monkeypatch.setattr(job, "WAITED", 0.1)
    monkeypatch.setattr(job, "AGAIN", 0.1)
    monkeypatch.setattr(relief, "LOOK", 0.05)
    await dug(broker_url, down(unique, workers=True), 4, 3, 3)


async def test_a_role_starts_a_session_and_does_not_wait_for_it(
    broker_url: str, unique: str
) -> None:
    chosen = down(unique)
    alone = pavane.load(f'#[namespace = "{unique}"] protocol One {{ roles: A, B; A -> B: Go }}')
    started: list[str] = []

    @alone.role("A")
    async def a(me: Endpoint) -> None:
        async def start() -> str:
            return (await me.runtime.start(chosen, session=f"{me.session}-x", input=0)).id

        started.append(await me.run(start))
        await me.send("Go")

    @alone.role("B")
    async def b(me: Endpoint) -> None:
        await me.receive("Go")

    async with pavane.open(broker_url) as runtime, asyncio.timeout(30):
        worker = pavane.Worker(runtime)
        worker.serve(chosen)
        worker.serve(alone)
        working = asyncio.create_task(worker.run())
        await (await runtime.start(alone, session="s", patience=10)).result()
        assert started == ["s-x"]
        assert (await (await runtime.start(chosen, session="s-x", input=0)).result())["A"] == 0
        worker.drain(0)
        await working


async def test_a_parent_fails_of_a_child_that_its_own_code_has_waited_for(
    runtime: pavane.Runtime, broker_url: str, unique: str
) -> None:
    """What the child's handle raises is no word on the parent's session, however alike."""
    child, parent = down(unique), pavane.load(PARENT % unique)

    @child.role("B")
    async def b(me: Endpoint) -> None:
        raise ValueError("there is nothing")

    @parent.role("Up")
    async def up(me: Endpoint) -> None:
        handle = await runtime.start(child, input=1, patience=10)
        with pytest.raises(pavane.PeerFailed):
            await handle.result()
        await (await runtime.start(child, input=1)).result()
        await me.send("Told")

    @parent.role("Down")
    async def hear(me: Endpoint) -> None:
        await me.receive("Told")

    async with pavane.open(broker_url) as playing, asyncio.timeout(30):
        worker = pavane.Worker(playing)
        worker.serve(child)
        worker.serve(parent)
        working = asyncio.create_task(worker.run())
        with pytest.raises(pavane.PeerFailed, match="Up raised PeerFailed"):
            await (await runtime.start(parent, patience=10)).result()
        worker.drain(0)
        await working
