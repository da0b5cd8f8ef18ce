"""Workers that are told to stop: nothing new, what runs ends or goes to others, exit code 0."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.workers import worker as workers
from pavane.effects.journal.history.reading import History

from .conftest import Crew


async def test_a54_sigterm_ends_what_is_short_and_hands_over_what_is_long(
    crew: Crew, starter: pavane.Runtime
) -> None:
    talk = crew.load("Talk")
    crew.start("first", grace=1.2)
    long = await starter.start(
        talk, bindings={"rounds": 25}, input={"rounds": 25, "pause": 0.1}, patience=30
    )
    short = await starter.start(
        talk, bindings={"rounds": 5}, input={"rounds": 5, "pause": 0.04}, patience=30
    )
    await crew.until(starter, lambda found: sum(w.running for w in found) == 4)
    draining = asyncio.create_task(crew.drain("first"))
    await crew.until(starter, lambda found: all(w.leaving for w in found))
    crew.start("second")
    late = asyncio.create_task(
        starter.start(talk, bindings={"rounds": 2}, input={"rounds": 2}, patience=30)
    )
    assert await draining == 0
    assert "drained: 2 units ended here, 2 handed over" in (crew.folder / "first.log").read_text()
    for handle, rounds in ((short, 5), (long, 25), (await late, 2)):
        assert len((await handle.wait(30))["Asker"]) == rounds
        found = await audit(starter.broker, handle.place, History(starter.broker))
        assert found.faults == []
        assert found.charged == 8 * rounds
        if handle is long:
            assert found.takeovers == 2
        else:
            assert found.takeovers == 0


async def test_a54_a_second_signal_does_not_wait(crew: Crew, starter: pavane.Runtime) -> None:
    talk = crew.load("Talk")
    crew.start("first", grace=60)
    given = {"rounds": 30, "pause": 0.05}
    handle = await starter.start(talk, bindings={"rounds": 30}, input=given, patience=30)
    await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
    process = crew.processes["first"]
    process.send_signal(signal.SIGTERM)
    await crew.until(starter, lambda found: all(w.leaving for w in found))
    assert await crew.drain("first") == 0
    crew.start("second")
    assert len((await handle.wait(30))["Asker"]) == 30


STUBBORN = """
#[namespace = "SPACE"]
protocol Stubborn { roles: A, B; A -> B: M(int) }
"""


class Stubborn:
    """A protocol whose A heeds no cancellation until it is let go, in one of two processes."""

    def __init__(self, unique: str) -> None:
        self.protocol = pavane.load(STUBBORN.replace("SPACE", unique))
        self.over = asyncio.Event()
        self.begun = asyncio.Event()
        self.protocol.role("A")(self.a)
        self.protocol.role("B")(self.b)

    async def a(self, me: pavane.Endpoint) -> None:
        while not self.over.is_set():
            self.begun.set()
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue
        await me.send("M", 1)

    async def b(self, me: pavane.Endpoint) -> int:
        return int(await me.receive("M"))

    def worker(self, runtime: pavane.Runtime, lease: float = 30.0) -> workers.Worker:
        worker = workers.Worker(runtime, lease=lease)
        worker.serve(self.protocol)
        return worker


async def test_a54_a_role_that_swallows_its_cancellation_is_handed_over_all_the_same(
    nats_url: str, starter: pavane.Runtime, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_PARTING", 0.2)
    stubborn, other = Stubborn(unique), Stubborn(unique)
    other.over.set()
    async with pavane.open(nats_url) as here, pavane.open(nats_url) as there:
        first = stubborn.worker(here)
        running = asyncio.create_task(first.run())
        handle = await starter.start(stubborn.protocol, patience=10)
        await stubborn.begun.wait()
        first.drain(0)
        await running
        assert (first.handed_over, first.left) == (2, 0)
        second = other.worker(there)
        running = asyncio.create_task(second.run())
        assert (await handle.wait(5))["B"] == 1
        stubborn.over.set()
        second.drain(0)
        await running
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert (found.faults, found.messages) == ([], 1)


async def test_a54_a_second_signal_waits_for_no_role(
    nats_url: str, starter: pavane.Runtime, unique: str
) -> None:
    stubborn = Stubborn(unique)
    async with pavane.open(nats_url) as here:
        worker = stubborn.worker(here)
        running = asyncio.create_task(worker.run())
        await starter.start(stubborn.protocol, patience=10)
        await stubborn.begun.wait()
        began = time.monotonic()
        worker.drain(60)
        await asyncio.sleep(0.1)
        worker.drain(60)
        await running
        assert time.monotonic() - began < 4
        assert worker.handed_over == 2
        stubborn.over.set()
