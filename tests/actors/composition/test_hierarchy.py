"""Sessions inside sessions, and the guide's hierarchy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane import Endpoint, SessionPlan
from pavane.actors.events import Event, MessageSent
from pavane.effects.identity import Identity

GUIDE = Path(__file__).parents[2] / "data" / "guide"
HIERARCHY = "hierarchical_consensus"
Count = Callable[[], Awaitable[int]]

ORDER = """#[namespace = "{space}"]
choreography Order {{
    roles: Customer, Desk;
    loop (count: N) {{ Customer -> Desk: Wanted(n: i32); Desk -> Customer: Made(n: i32); }}
}}"""

MAKING = """#[namespace = "{space}"]
choreography Making {{
    roles: Lead, Hand[2];
    Lead[flow_cost = 5, journal_facts = "asked"] -> Hand[*]: Part(n: i32);
    Hand[*] -> Lead: Piece(n: i32);
}}"""


async def hand(me: Endpoint) -> None:
    await me.send("Piece", (await me.receive("Part")).n + me.index)


def making(space: str, n: int, by: Any = hand, **more: Any) -> SessionPlan:
    async def lead(me: Endpoint) -> int:
        await me.send("Part", n)
        return sum(piece.n for piece in (await me.receive("Piece")).values())

    return SessionPlan(pavane.load(MAKING.format(space=space)), Lead=lead, Hand=by, **more)


def ordering(space: str, rounds: int) -> pavane.Choreography:
    choreography = pavane.load(ORDER.format(space=space)).bind(N=rounds)

    @choreography.role("Customer")
    async def customer(me: Endpoint) -> list[int]:
        made = list[int]()
        for n in range(rounds):
            await me.send("Wanted", n)
            made.append((await me.receive("Made")).n)
        return made

    return choreography


@pytest.mark.parametrize("durable", [False, True])
async def test_a46_a_role_is_played_by_a_session(
    runtime: pavane.Runtime, unique: str, durable: bool
) -> None:
    events: list[Event] = []
    runtime.observe(events.append)
    desk = pavane.delegated(
        "Wanted",
        "Made",
        to=lambda order: making(unique, order.n, durable=durable),
        result=lambda child: {"n": child["Lead"]},
    )
    async with asyncio.timeout(20):
        outcome = await runtime.run(ordering(unique, 3), Desk=desk, session=unique, durable=durable)
    assert outcome["Customer"] == [1, 3, 5]
    children = [e.session for e in events if isinstance(e, MessageSent) and e.label == "Part"]
    assert children == [f"{unique}-Desk0-{step}-Making" for step in (1, 3, 5)]


async def test_a46_what_a_child_came_to_is_known_to_its_parent(
    runtime: pavane.Runtime, unique: str
) -> None:
    children: list[pavane.Child] = []

    async def desk(me: Endpoint) -> None:
        order = await me.receive("Wanted")
        both = pavane.Parallel(left=making(unique, order.n), right=making(unique, 10))
        children.append(await pavane.delegate(me, both))
        await me.send("Made", children[0]["left"]["Lead"] + children[0]["right"]["Lead"])

    outcome = await runtime.run(ordering(unique, 1), Desk=desk)
    assert outcome["Customer"] == [22]
    assert (children[0].charged, children[0].facts) == (20, ("asked", "asked"))


@pytest.mark.parametrize("durable", [False, True])
async def test_a46_a_child_that_fails_reaches_its_parent_as_such(
    runtime: pavane.Runtime, subscriptions: Count, unique: str, durable: bool
) -> None:
    await making(unique, 1).run(runtime)  # budgets and journals listen from now on
    before = await subscriptions()

    async def clumsy(me: Endpoint) -> None:
        await me.receive("Part")
        raise ValueError("dropped it")

    desk = pavane.delegated(
        "Wanted", "Made",
        to=lambda order: making(unique, order.n, clumsy, durable=durable),
        result=lambda child: child["Lead"],
    )  # fmt: skip
    told: list[Exception] = []

    async def customer(me: Endpoint) -> None:
        try:
            await me.send("Wanted", 1)
            await me.receive("Made")
        except pavane.SessionAborted as aborted:
            told.append(aborted)
            raise

    async with asyncio.timeout(20):
        with pytest.raises(pavane.ChildFailed) as caught:
            await runtime.run(
                ordering(unique, 1), Customer=customer, Desk=desk, durable=durable, session=unique
            )
    failed = caught.value
    assert (failed.role, failed.protocol, failed.kind) == ("Desk", "Making", "RoleFailed")
    assert failed.child == f"{unique}-Desk0-1-Making"
    assert "raised ValueError: dropped it" in failed.reason
    assert isinstance(failed.__cause__, pavane.RoleFailed)
    assert len(told) == 1 and "Making failed" in str(told[0])
    if not durable:
        assert await subscriptions() == before


async def test_a46_a_parent_can_answer_for_a_child_that_failed(
    runtime: pavane.Runtime, unique: str
) -> None:
    async def clumsy(me: Endpoint) -> None:
        raise ValueError("dropped it")

    async def desk(me: Endpoint) -> None:
        order = await me.receive("Wanted")
        try:
            await pavane.delegate(me, making(unique, order.n, clumsy))
        except pavane.ChildFailed:
            await me.send("Made", -1)

    assert (await runtime.run(ordering(unique, 1), Desk=desk))["Customer"] == [-1]


async def test_a46_a_child_ends_with_its_parent(
    runtime: pavane.Runtime, subscriptions: Count, unique: str
) -> None:
    await making(unique, 1).run(runtime)  # budgets and journals listen from now on
    before = await subscriptions()
    working = asyncio.Event()

    async def slow(me: Endpoint) -> None:
        await me.receive("Part")
        working.set()
        await asyncio.sleep(60)

    async def hasty(me: Endpoint) -> None:
        await me.send("Wanted", 1)
        await working.wait()
        raise ValueError("changed my mind")

    desk = pavane.delegated(
        "Wanted", "Made",
        to=lambda order: making(unique, order.n, slow), result=lambda child: child["Lead"],
    )  # fmt: skip
    async with asyncio.timeout(10):
        with pytest.raises(pavane.RoleFailed, match="changed my mind"):
            await runtime.run(ordering(unique, 1), Customer=hasty, Desk=desk)
    assert await subscriptions() == before


async def test_a46_the_guides_seven_roles_with_charges_facts_and_the_aggregate_on_top(
    runtime: pavane.Runtime,
) -> None:
    """Every role does its own work; the first worker has a session of its own do it."""
    hierarchy = pavane.load(GUIDE / "016.choreo")
    events: list[Event] = []
    runtime.observe(events.append)

    async def top(me: Endpoint) -> Any:
        for n in (1, 2):
            await me.send("CoordinationRequest", {"goal": n}, to=f"SubCoordinator{n}")
        return await me.receive("SubCoordinatorResult")

    async def first(me: Endpoint) -> None:
        request = await me.receive("CoordinationRequest")
        for n in (1, 2):
            await me.send("WorkerRequest", {"task": request.goal * 10 + n}, to=f"Worker{n}")
        result = await me.receive("WorkerResult")
        await me.send("SubCoordinatorResult", {"parts": [result]})

    async def second(me: Endpoint) -> None:
        request = await me.receive("CoordinationRequest")
        for n in (3, 4):
            await me.send("WorkerRequest", {"task": request.goal * 10 + n}, to=f"Worker{n}")

    async def worker(me: Endpoint) -> int:
        return int((await me.receive("WorkerRequest")).task)

    foreman = pavane.delegated(
        "WorkerRequest",
        "WorkerResult",
        to=lambda request: making("workshop", request.task),
        result=lambda child: child["Lead"],
    )
    async with asyncio.timeout(20):
        outcome = await runtime.run(
            hierarchy, TopCoordinator=top, SubCoordinator1=first, SubCoordinator2=second,
            Worker1=foreman, Worker2=worker, Worker3=worker, Worker4=worker,
        )  # fmt: skip
    assert outcome["TopCoordinator"] == {"parts": [11 + 12]}
    assert [outcome[f"Worker{n}"] for n in (2, 3, 4)] == [12, 23, 24]
    sent = [e for e in events if isinstance(e, MessageSent) and e.session == outcome.session]
    charges = Counter((e.sender, e.label, e.charged) for e in sent)
    assert charges == {
        ("TopCoordinator", "CoordinationRequest", 300): 2,
        ("SubCoordinator1", "WorkerRequest", 150): 2,
        ("SubCoordinator2", "WorkerRequest", 150): 2,
        ("Worker1", "WorkerResult", 80): 1,
        ("SubCoordinator1", "SubCoordinatorResult", 200): 1,
    }
    assert outcome.charged == 1480
    written = {
        (entry.role, entry.name)
        async for entry in runtime.journal.entries(session=outcome.session)
        if entry.kind == "fact"
    }
    assert written == {
        ("TopCoordinator", "top_coordination_started"),
        ("SubCoordinator1", "worker_coordination_started"),
        ("Worker1", "work_completed"),
        ("SubCoordinator1", "sub_results_aggregated"),
    }
    at_the_top = Identity(HIERARCHY, "HierarchicalConsensus", outcome.session, "TopCoordinator")
    view = await runtime.journal.view(at_the_top)
    assert {"worker_coordination_started", "sub_results_aggregated"} <= set(view.names())
