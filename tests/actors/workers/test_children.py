"""Sessions that the roles of others have begun: they end with them, and not with their workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Literal

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place

TEXT = """#[namespace = "{space}"]
protocol Shop {{ roles: Customer, Desk; Customer -> Desk: Order; Desk -> Customer: Receipt(int) }}
#[namespace = "{space}"]
protocol Making {{ roles: Lead, Hand; Lead -> Hand: Part; Hand -> Lead: Piece(int) }}
#[namespace = "{space}"]
protocol Errand {{ roles: Sender, Runner; Sender -> Runner: Go; Runner -> Sender: Back(int) }}
"""
Kind = Literal["live", "durable", "queued"]
KINDS: list[Kind] = ["durable", "queued"]


def planned(protocol: pavane.Choreography, kind: Kind) -> pavane.SessionPlan:
    return pavane.SessionPlan(
        protocol, durable=kind == "durable", workers=kind == "queued", input=1
    )


class House:
    """A shop whose desk has somebody make what is ordered, in a session of another protocol: `ready`
    says when that is under way, and `going` when it may come to its end. `errand` is who is asked for
    it in between. A `hurried` desk does not wait for it."""

    def __init__(self, space: str, kind: Kind, errand: Kind | None = None) -> None:
        self.shop, self.making, self.errand = (
            pavane.load(TEXT.format(space=space), name=name)
            for name in ("Shop", "Making", "Errand")
        )
        self.ready = asyncio.Event()
        self.going = asyncio.Event()
        self.angry = asyncio.Event()
        self.hurried = False
        self._kind: Kind = kind
        self._errand: Kind | None = errand
        self._register()

    def _register(self) -> None:
        @self.shop.role("Customer")
        async def customer(me: Endpoint) -> int:
            await me.send("Order")
            waiting = asyncio.create_task(me.receive("Receipt"))
            angry = asyncio.create_task(self.angry.wait())
            await asyncio.wait([waiting, angry], return_when="FIRST_COMPLETED")
            angry.cancel()
            if self.angry.is_set():
                waiting.cancel()
                raise ValueError("this takes too long")
            return int(await waiting)

        @self.shop.role("Desk")
        async def desk(me: Endpoint) -> None:
            await me.receive("Order")
            if self.hurried:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await pavane.delegate(me, planned(self.making, self._kind))
                await me.send("Receipt", -1)
            elif self._errand is None:
                child = await pavane.delegate(me, planned(self.making, self._kind))
                await me.send("Receipt", child["Lead"])
            else:
                child = await pavane.delegate(me, planned(self.errand, self._errand))
                await me.send("Receipt", child["Sender"])

        @self.errand.role("Sender")
        async def sender(me: Endpoint) -> int:
            await me.send("Go")
            return int(await me.receive("Back"))

        @self.errand.role("Runner")
        async def runner(me: Endpoint) -> None:
            await me.receive("Go")
            child = await pavane.delegate(me, planned(self.making, self._kind))
            await me.send("Back", child["Lead"])

        @self.making.role("Lead")
        async def lead(me: Endpoint) -> int:
            await me.send("Part")
            return int(await me.receive("Piece"))

        @self.making.role("Hand")
        async def hand(me: Endpoint) -> None:
            await me.receive("Part")
            self.ready.set()
            await self.going.wait()
            await me.send("Piece", 7)

    @asynccontextmanager
    async def worker(self, url: str) -> AsyncGenerator[pavane.Worker]:
        """One that serves everything; in the end it hands over whatever it plays."""
        async with pavane.open(url) as runtime:
            worker = pavane.Worker(runtime)
            for each in (self.shop, self.making, self.errand):
                worker.serve(each)
            working = asyncio.create_task(worker.run())
            yield worker
            worker.drain(0)
            await working


def child_of(runtime: pavane.Runtime, place: Place) -> SessionHandle:
    """That of the session's desk."""
    child = f"{place.session}-Desk0-1-Making"
    return SessionHandle(runtime.broker, Place(place.namespace, "Making", child))


async def state_of(handle: SessionHandle) -> str:
    """How it ended; or `running` where it does not."""
    try:
        await handle.wait(10)
    except TimeoutError:
        return "running"
    except pavane.PavaneError:
        return (await handle.status()).state
    return "done"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_a_child_is_over_when_the_session_of_its_parent_is(
    runtime: pavane.Runtime, broker_url: str, unique: str, kind: Kind, how: str
) -> None:
    house = House(unique, kind)
    async with asyncio.timeout(40), house.worker(broker_url):
        handle = await runtime.start(house.shop, session="s", patience=10)
        child = child_of(runtime, handle.place)
        await house.ready.wait()
        if how == "cancelled":
            await handle.cancel("closed for today")
        else:
            house.angry.set()
        assert await state_of(handle) == how
        assert await state_of(child) == "cancelled"
        with pytest.raises(pavane.SessionCancelled):
            await child.result()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_goes_on_when_its_parent_is_handed_over(
    runtime: pavane.Runtime, broker_url: str, unique: str, kind: Kind
) -> None:
    house = House(unique, kind)
    async with asyncio.timeout(60):
        async with house.worker(broker_url):
            handle = await runtime.start(house.shop, session="s", patience=10)
            child = child_of(runtime, handle.place)
            await house.ready.wait()
        assert (await child.status()).state == "running"
        house.going.set()
        async with house.worker(broker_url):
            assert (await handle.wait(30))["Customer"] == 7
        assert (await child.status()).state == "done"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_is_over_when_its_parent_is_cancelled_while_nobody_plays_it(
    runtime: pavane.Runtime, broker_url: str, unique: str, kind: Kind
) -> None:
    house = House(unique, kind)
    async with asyncio.timeout(60):
        async with house.worker(broker_url):
            handle = await runtime.start(house.shop, session="s", patience=10)
            child = child_of(runtime, handle.place)
            await house.ready.wait()
        await handle.cancel("closed for today")
        assert (await child.status()).state == "cancelled"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_is_over_when_its_parent_is_done_without_it(
    runtime: pavane.Runtime, broker_url: str, unique: str, kind: Kind
) -> None:
    house = House(unique, kind)
    house.hurried = True
    async with asyncio.timeout(60), house.worker(broker_url):
        handle = await runtime.start(house.shop, session="s", patience=10)
        assert (await handle.result())["Customer"] == -1
        assert house.ready.is_set()
        assert await state_of(child_of(runtime, handle.place)) == "cancelled"


@pytest.mark.parametrize("errand", KINDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_child_has_begun_is_over_with_it(
    runtime: pavane.Runtime,
    broker_url: str,
    unique: str,
    kind: Kind,
    errand: Kind,
) -> None:
    house = House(unique, kind, errand)
    async with asyncio.timeout(60), house.worker(broker_url):
        handle = await runtime.start(house.shop, session="s", patience=10)
        below = Place(unique, "Making", "s-Desk0-1-Errand-Runner0-1-Making")
        await house.ready.wait()
        house.angry.set()
        assert await state_of(handle) == "failed"
        assert await state_of(SessionHandle(runtime.broker, below)) == "cancelled"


async def test_what_a_live_child_has_begun_goes_on_when_its_parent_is_handed_over(
    runtime: pavane.Runtime, broker_url: str, unique: str
) -> None:
    """The live one is begun anew, and finds what it has begun."""
    house = House(unique, "queued", "live")
    async with asyncio.timeout(60):
        async with house.worker(broker_url):
            handle = await runtime.start(house.shop, session="s", patience=10)
            below = Place(unique, "Making", "s-Desk0-1-Errand-Runner0-1-Making")
            await house.ready.wait()
        state = (await SessionHandle(runtime.broker, below).status()).state
        assert state == "running"
        house.going.set()
        async with house.worker(broker_url):
            assert (await handle.wait(30))["Customer"] == 7


@pytest.mark.parametrize("durable", [False, True])
async def test_a_child_on_the_queue_is_over_when_its_parent_is_played_and_fails_elsewhere(
    runtime: pavane.Runtime, broker_url: str, unique: str, durable: bool
) -> None:
    house = House(unique, "queued")
    async with asyncio.timeout(60), house.worker(broker_url):
        playing = asyncio.create_task(runtime.run(house.shop, session="s", durable=durable))
        await house.ready.wait()
        house.angry.set()
        with pytest.raises(pavane.RoleFailed, match="too long"):
            await playing
        child = child_of(runtime, Place(unique, "Shop", "s"))
        assert await state_of(child) == "cancelled"
