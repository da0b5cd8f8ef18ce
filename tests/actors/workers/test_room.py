"""Workers that are full: sessions whose roles hold places all the same get the rest of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.workers import places
from pavane.actors.workers.announcement import Announcement, Service
from pavane.actors.workers.beacon import Beacon
from pavane.actors.workers.part import Part
from pavane.actors.workers.room import Room
from pavane.broker.contract import Broker

TEXT = """
#[namespace = "SPACE"]
protocol Ring {
    roles: A, B, C;
    loop (count: 3) { A -> B: Ab(int); B -> C: Bc(int); C -> A: Ca(int) }
}
"""


def ring(space: str) -> pavane.Choreography:
    found = pavane.load(TEXT.replace("SPACE", space))

    @found.role("A")
    async def a(me: Endpoint) -> int:
        for number in range(3):
            await me.send("Ab", number)
            await me.receive("Ca")
        return int(me.input)

    @found.role("B")
    async def b(me: Endpoint) -> None:
        for _ in range(3):
            await me.send("Bc", await me.receive("Ab"))

    @found.role("C")
    async def c(me: Endpoint) -> None:
        for _ in range(3):
            await me.send("Ca", await me.receive("Bc"))

    return found


@asynccontextmanager
async def working(url: str, space: str, *served: tuple[int, str]) -> AsyncGenerator[None]:
    """A worker for each capacity and the roles that it serves, all in this process."""
    async with AsyncExitStack() as stack:
        tasks: list[asyncio.Task[None]] = []
        for capacity, roles in served:
            runtime = await stack.enter_async_context(pavane.open(url))
            worker = pavane.Worker(runtime, capacity=capacity, lease=1.0)
            worker.serve(ring(space), *roles)
            tasks.append(asyncio.create_task(worker.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def started(runtime: pavane.Runtime, space: str, count: int) -> list[SessionHandle]:
    talk = ring(space)
    return [
        await runtime.start(talk, session=f"s{number}", input=number, patience=10)
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "capacity", [2, *(pytest.param(capacity, marks=pytest.mark.long) for capacity in (3, 4))]
)
async def test_sixty_sessions_of_three_roles_end_on_two_small_workers(
    broker_url: str, runtime: pavane.Runtime, unique: str, capacity: int
) -> None:
    async with working(broker_url, unique, (capacity, "ABC"), (capacity, "ABC")):
        handles = await started(runtime, unique, 60)
        outcomes = await asyncio.gather(*(handle.wait(60) for handle in handles))
    assert [outcome["A"] for outcome in outcomes] == list(range(60))


def test_a_role_that_plays_nothing_keeps_its_place(unique: str) -> None:
    parts = [Part(ring(unique), role) for role in "ABC"]
    room = Room(4, parts)
    room.take(parts[0], 2)
    assert not room.has(parts[0]), "the others need the rest"
    assert room.has(parts[1])
    room.take(parts[1], 1)
    room.take(parts[2], 1)
    assert not any(room.has(part) for part in parts)
    room.give(parts[0], 2)
    assert all(room.has(part) for part in parts)
    room.take(parts[1], 1)
    assert not room.has(parts[1]), "the last place is the first role's"
    assert room.has(parts[0])


@asynccontextmanager
async def seeming(broker: Broker, talk: pavane.Choreography) -> AsyncGenerator[None]:
    """Somebody says that he serves all roles, so that sessions may start, and plays none."""
    print_ = talk.compiled.fingerprint.hex()
    services = tuple(Service(talk.name, role, print_) for role in talk.roles)
    said = Announcement(
        "seeming", talk.namespace, "nowhere", 1, 0.0, 1, 0, leaving=False, authority=b"",
        services=services,
    )  # fmt: skip
    beacon = Beacon(broker, [talk.namespace], lambda _: said)
    await beacon.open()
    yield
    await beacon.close()


async def test_workers_that_are_full_of_each_others_peers_exchange_them(
    broker_url: str, runtime: pavane.Runtime, unique: str
) -> None:
    """Who had taken the first two units of one role has died. Its next worker is full of younger
    ones before they come again; that of the others is full of the sessions of the first two."""
    talk, queue = ring(unique), places.queue(unique)
    await runtime.broker.ensure_queue(queue, lease=1.0)
    async with seeming(runtime.broker, talk):
        handles = await started(runtime, unique, 4)
    topic = places.topic("Ring", "A", talk.compiled.fingerprint)
    lost = [await runtime.broker.take(queue, topic=topic, timeout=5.0) for _ in range(2)]
    assert all(lost)
    async with working(broker_url, unique, (2, "A"), (4, "BC")):
        outcomes = await asyncio.gather(*(handle.wait(60) for handle in handles))
    assert [outcome["A"] for outcome in outcomes] == list(range(4))
    takeovers = 0
    for handle in handles:
        found = await audit(runtime.broker, handle.place)
        assert found.faults == []
        takeovers += found.takeovers
    assert takeovers >= 2, "some had to be given up for others"
