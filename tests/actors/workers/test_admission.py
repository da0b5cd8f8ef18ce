"""What a session has to have before anything of it starts: workers, versions, rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.errors import OtherSession
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place
from pavane.actors.durable.records import Started, pack
from pavane.actors.durable.start import prepare, started, units
from pavane.actors.workers import places
from pavane.actors.workers.admission import misfit
from pavane.actors.workers.errors import (
    ForeignAuthority,
    NobodyServes,
    Unfit,
    Ungranted,
    UnknownVersion,
)
from pavane.actors.workers.overview import summaries
from pavane.actors.workers.queueing import enqueue
from pavane.actors.workers.shelf import Shelf
from pavane.broker.contract import Broker
from pavane.effects.capability.tokens import Authority
from pavane.language.compiler import compile_text

OLD = """#[namespace = "SPACE"]
protocol Sale {
    roles: Buyer, Seller;
    Buyer -> Seller: Order(int);
    choice Seller {
        sold { Seller -> Buyer: Receipt(int); }
        gone { Seller -> Buyer: Sorry; }
    }
}"""

WITH_A_WAIT = OLD.replace("gone {", "later { Seller -> Buyer: Wait; }\n gone {")
"""The seller may say one thing more: the new buyer understands both, the new seller may not."""

Serve = Callable[..., Awaitable[None]]


def load(text: str, space: str) -> pavane.Choreography:
    """The protocol, with functions that fit both versions."""
    sale = pavane.load(text.replace("SPACE", space))

    @sale.role("Buyer")
    async def buyer(me: pavane.Endpoint) -> str:
        await me.send("Order", 7)
        return (await me.offer()).label

    @sale.role("Seller")
    async def seller(me: pavane.Endpoint) -> None:
        await me.receive("Order")
        await me.send("Receipt", 1)

    return sale


@pytest.fixture
async def serve(broker_url: str) -> AsyncIterator[Serve]:
    """Workers in this process, each with a connection of its own."""
    running: list[tuple[pavane.Worker, asyncio.Task[None]]] = []

    async def begin(*served: tuple[pavane.Choreography, str], **settings: object) -> None:
        ready = asyncio.Event()

        async def work() -> None:
            async with pavane.open(broker_url, **settings) as runtime:  # type: ignore[arg-type]
                worker = pavane.Worker(runtime)
                for choreography, role in served:
                    worker.serve(choreography, *([role] if role else []))
                running.append((worker, task))
                await worker.run(ready.set)

        task = asyncio.create_task(work())
        await ready.wait()

    yield begin
    for worker, task in running:
        worker.drain(0)
        await task


async def test_a_session_is_played_by_workers_in_other_processes(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    sale = load(OLD, unique)
    await serve((sale, "Buyer"))
    await serve((sale, "Seller"))
    handle = await runtime.start(sale)
    assert (await handle.wait(10))["Buyer"] == "Receipt"


async def test_nobody_serves_a_role(
    runtime: pavane.Runtime, broker: Broker, serve: Serve, unique: str
) -> None:
    sale = load(OLD, unique)
    await serve((sale, "Buyer"))
    with pytest.raises(NobodyServes) as caught:
        await runtime.start(sale)
    assert caught.value.roles == ("Seller",)
    assert await summaries(broker, unique) == [], "and nothing was started"


async def test_a_start_can_wait_for_its_workers(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    sale = load(OLD, unique)
    starting = asyncio.create_task(runtime.start(sale, patience=10))
    await asyncio.sleep(0.5)
    await serve((sale, ""))
    assert (await (await starting).wait(10))["Buyer"] == "Receipt"


async def test_a_new_version_that_fits_plays_old_sessions(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    old, new = load(OLD, unique), load(WITH_A_WAIT, unique)
    await serve((old, "Seller"))
    await serve((new, "Buyer"))
    handle = await runtime.start(old)
    assert (await handle.wait(10))["Buyer"] == "Receipt"


async def test_a_new_version_that_does_not_fit_is_refused(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    old, new = load(OLD, unique), load(WITH_A_WAIT, unique)
    await serve((new, "Seller"), (new, "Buyer"))
    with pytest.raises(NobodyServes, match="Wait to Buyer, which old Buyer does not expect") as got:
        await runtime.start(old)
    assert got.value.roles == ("Seller",)


async def test_two_versions_run_side_by_side_in_one_worker(
    runtime: pavane.Runtime, serve: Serve, unique: str, broker_url: str
) -> None:
    old, new = load(OLD, unique), load(WITH_A_WAIT, unique)
    await serve((old, ""), (new, ""))
    one = await runtime.start(old)
    async with pavane.open(broker_url) as another:
        two = await another.start(new)
        assert (await two.wait(10))["Buyer"] == "Receipt"
    assert (await one.wait(10))["Buyer"] == "Receipt"


async def test_workers_that_lack_a_capability_are_found_before_the_start(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    guarded = load(OLD.replace("Buyer ->", 'Buyer[guard_capability = "order"] ->'), unique)
    await serve((guarded, ""), grants={"Buyer": ["something_else"]})
    with pytest.raises(Ungranted, match="order"):
        await runtime.start(guarded)


async def test_workers_of_two_authorities_are_found_before_the_start(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    guarded = load(OLD.replace("Buyer ->", 'Buyer[guard_capability = "order"] ->'), unique)
    await serve((guarded, "Buyer"), authority=Authority())
    await serve((guarded, "Seller"), authority=Authority())
    with pytest.raises(ForeignAuthority, match="one key"):
        await runtime.start(guarded)


async def test_workers_of_one_authority_accept_each_other(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    guarded = load(OLD.replace("Buyer ->", 'Buyer[guard_capability = "order"] ->'), unique)
    seed = bytes(range(32))
    await serve((guarded, "Buyer"), authority=Authority(seed))
    await serve((guarded, "Seller"), authority=Authority(seed))
    handle = await runtime.start(guarded)
    assert (await handle.wait(10))["Buyer"] == "Receipt"


async def test_the_same_start_again_is_the_same_session(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    sale = load(OLD, unique)
    await serve((sale, ""))
    first = await runtime.start(sale, session="order-17")
    again = await runtime.start(sale, session="order-17")
    assert first.id == again.id == "order-17"
    await first.wait(10)
    assert (await again.wait(10))["Buyer"] == "Receipt"


async def test_a_session_that_is_over_is_told_of_when_nobody_is_there(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    """Who did not hear of its end, and asks later: the workers may be gone."""
    sale = load(OLD, unique)
    await (await outside(runtime, sale, "cancelled")).cancel("in time")
    again = await runtime.start(sale, session="cancelled")
    with pytest.raises(pavane.SessionCancelled):
        await again.wait(10)
    await outside(runtime, sale, "waiting")
    with pytest.raises(NobodyServes):
        await runtime.start(sale, session="waiting")
    await serve((sale, ""))
    assert (await (await runtime.start(sale, session="waiting")).wait(10))["Buyer"] == "Receipt"


async def outside(
    runtime: pavane.Runtime, sale: pavane.Choreography, session: str
) -> SessionHandle:
    """A session of which the log has the beginning and no more: who started it has died of it."""
    place = Place(sale.namespace, sale.name, session)
    await prepare(runtime.broker, sale.namespace)
    begun = Started(sale.compiled.fingerprint, {}, [("Buyer", 0, 1), ("Seller", 0, 1)])
    await runtime.broker.append(place.stream, place.operator, pack(begun))
    return SessionHandle(runtime.broker, place)


async def test_a12_counts_cannot_be_changed_once_a_session_has_started(
    runtime: pavane.Runtime, serve: Serve, unique: str
) -> None:
    text = '#[namespace = "SPACE"] protocol Crowd { roles: A, S[*]; A -> S[*]: Task(int); }'
    crowd = pavane.load(text.replace("SPACE", unique))

    @crowd.role("A")
    async def speak(me: pavane.Endpoint) -> None:
        await me.send("Task", me.size("S"))

    @crowd.role("S")
    async def hear(me: pavane.Endpoint) -> int:
        return int(await me.receive("Task"))

    await serve((crowd, ""))
    handle = await runtime.start(crowd, session="x", bindings={"S": 3})
    with pytest.raises(OtherSession, match="count"):
        await runtime.start(crowd, session="x", bindings={"S": 4})
    assert (await handle.wait(10))["S"] == {0: 3, 1: 3, 2: 3}


async def test_versions_are_kept_and_unknown_ones_refused(broker: Broker, unique: str) -> None:
    (compiled,) = compile_text(OLD.replace("SPACE", unique))
    await Shelf(broker).put(compiled)
    await Shelf(broker).put(compiled)
    found = await Shelf(broker).get(unique, "Sale", compiled.fingerprint)
    assert found.protocol == compiled.protocol
    with pytest.raises(UnknownVersion):
        await Shelf(broker).get(unique, "Sale", b"12345678")
    with pytest.raises(UnknownVersion):
        await Shelf(broker).get(f"{unique}-none", "Sale", compiled.fingerprint)


def test_who_may_play_what_is_asked_role_by_role() -> None:
    (old,), (new,) = compile_text(OLD), compile_text(WITH_A_WAIT)
    assert misfit(old, new, "Buyer", {}) == ""
    assert "which old Buyer does not expect" in misfit(old, new, "Seller", {})
    assert misfit(new, old, "Seller", {}) == ""
    assert misfit(old, new, "Nobody", {}) == "that version has no Nobody"
    assert Unfit("Sale", "Seller", "it differs").code == "PV582"


async def test_a_unit_that_comes_twice_is_played_once(
    runtime: pavane.Runtime, broker: Broker, serve: Serve, unique: str
) -> None:
    """As after a start that was repeated when the queue had forgotten the first, or a lost lease."""
    sale = load(OLD, unique)

    @sale.role("Seller")
    async def slow(me: pavane.Endpoint) -> None:
        await me.receive("Order")
        await me.sleep(0.6)
        await me.send("Receipt", 1)

    await serve((sale, ""))
    handle = await runtime.start(sale)
    await asyncio.sleep(0.2)
    begun = await started(broker, handle.place)
    again = [msgspec.structs.replace(u, attempt=2) for u in units(handle.place, begun)]
    await enqueue(broker, again)
    assert (await handle.wait(10))["Buyer"] == "Receipt"
    found = await audit(broker, handle.place)
    assert found.faults == []
    assert found.takeovers == 2
    for unit in again:
        queue = places.queue(unique)
        assert await broker.take(queue, topic=unit.topic, timeout=0.05) is None
