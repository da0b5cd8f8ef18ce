"""One lease for all workers of a namespace, and items that the server gives out before it is over."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import Any

import pytest
from nats.aio.client import Client

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.workers import places
from pavane.actors.workers.announcement import Announcement
from pavane.actors.workers.beacon import Beacon
from pavane.actors.workers.leasing import agree, confirm
from pavane.broker.contract import LEASE, Broker
from pavane.effects.journal.history.reading import History

from .conftest import Crew


async def began(crew: Crew, starter: pavane.Runtime) -> SessionHandle:
    given = {"rounds": 30, "pause": 0.1}
    handle = await starter.start(
        crew.load("Talk"), bindings={"rounds": 30}, input=given, patience=30
    )
    await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
    return handle


async def test_an_item_that_is_given_out_too_early_is_not_ended_by_who_had_it(
    crew: Crew, starter: pavane.Runtime, nats_url: str
) -> None:
    """The server has forgotten who took what, and gives the items out once more, to the same
    worker: which dies then."""
    crew.start("first", lease=30.0)
    handle = await began(crew, starter)
    client: Any = Client()
    await client.connect(nats_url)
    stream = client.jetstream()
    for consumer in await stream.consumers_info(places.queue(crew.space)):
        await stream.delete_consumer(places.queue(crew.space), consumer.name)
    while (await audit(starter.broker, handle.place)).takeovers < 2:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    assert (await stream.stream_info(places.queue(crew.space))).state.messages == 2
    await client.close()
    crew.kill("first")
    crew.start("second", lease=1.0)
    assert len((await handle.wait(60))["Asker"]) == 30
    assert (await audit(starter.broker, handle.place, History(starter.broker))).faults == []


async def test_a_worker_with_a_shorter_lease_takes_nothing_from_those_that_are_there(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("first", lease=9.0)
    handle = await began(crew, starter)
    crew.start("second", lease=0.5)
    await crew.until(starter, lambda found: len(found) == 2)
    assert len((await handle.wait(60))["Asker"]) == 30
    assert (await audit(starter.broker, handle.place)).takeovers == 0
    assert "have a lease of 9 s, which holds here too" in (crew.folder / "second.log").read_text()


async def test_a_lease_grows_at_any_time_and_shrinks_when_nobody_is_there(
    broker: Broker, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = places.queue(unique)
    assert await broker.lease(queue) is None
    assert await agree(broker, unique, None) == LEASE
    assert await agree(broker, unique, 2.0) == await broker.lease(queue) == 2.0
    other = beacon(broker, unique)
    await other.open()
    assert await agree(broker, unique, None) == 2.0
    assert await agree(broker, unique, 5.0) == await broker.lease(queue) == 5.0
    with caplog.at_level(logging.WARNING, "pavane.workers"):
        assert await agree(broker, unique, 1.0) == await broker.lease(queue) == 5.0
    assert "5 s" in caplog.text
    await other.close()


async def test_two_workers_of_one_name_are_both_shown(crew: Crew, starter: pavane.Runtime) -> None:
    crew.start("same", "talk")
    first = crew.processes.pop("same")
    crew.start("same", "talk")
    crew.processes["first"] = first
    found = await crew.until(starter, lambda found: len(found) == 2)
    assert {w.pid for w in found} == {p.pid for p in crew.processes.values()}


def beacon(broker: Broker, space: str) -> Beacon:
    """Of a worker that is there."""
    said = Announcement("w", space, "h", 1, 0.0, 1, 0, leaving=False, authority=b"")
    return Beacon(broker, [space], lambda _: said)


async def test_who_sets_the_lease_while_it_is_asked_for_is_heard(
    broker: Broker, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = places.queue(unique)
    await broker.ensure_queue(queue, lease=LEASE)
    other = beacon(broker, unique)
    await other.open()
    asked = asyncio.create_task(agree(broker, unique, 2.0))
    await asyncio.sleep(0.1)
    await broker.ensure_queue(queue, lease=2.0)
    assert await asked == 2.0
    assert caplog.text == ""
    await other.close()


async def test_who_was_not_seen_yet_gets_the_longer_lease_that_it_asks_for(
    broker: Broker, unique: str
) -> None:
    queue = places.queue(unique)
    await broker.ensure_queue(queue, lease=2.0)
    assert await confirm(broker, unique, None) == 2.0
    assert await confirm(broker, unique, 1.0) == 2.0
    assert await confirm(broker, unique, 5.0) == await broker.lease(queue) == 5.0


async def test_a_lease_that_grows_does_so_for_those_who_take_already(
    broker: Broker, unique: str
) -> None:
    """As for two workers of one runtime, one after the other."""
    await broker.ensure_queue(unique, lease=0.3)
    assert await broker.take(unique, timeout=0.01) is None
    await broker.ensure_queue(unique, lease=30.0)
    await broker.put(unique, b"x")
    item = await broker.take(unique, timeout=5.0)
    assert item is not None
    assert await broker.take(unique, timeout=1.0) is None
    await item.done()


async def test_workers_that_start_in_one_instant_have_one_lease(
    crew: Crew, starter: pavane.Runtime
) -> None:
    """One sets it while the other looks whether anybody is there."""
    await starter.broker.ensure_queue(places.queue(crew.space), lease=LEASE)
    crew.start("first", lease=0.8)
    crew.start("second", lease=0.8)
    await crew.until(starter, lambda found: len(found) == 2)
    handle = await began(crew, starter)
    assert await crew.drain("first") == 0
    assert len((await handle.wait(30))["Asker"]) == 30
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert found.faults == []
    assert found.takeovers <= 2, crew.logs()
    assert "WARNING" not in crew.logs()


async def test_a_worker_that_did_not_answer_goes_by_the_shorter_lease_that_was_set(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("paused", lease=30.0)
    await crew.until(starter, lambda found: len(found) == 1)
    os.kill(crew.processes["paused"].pid, signal.SIGSTOP)
    crew.start("short", lease=0.6)
    await crew.until(starter, lambda found: any(w.name == "short" for w in found))
    await asyncio.sleep(1)  # It is seen before it takes.
    os.kill(crew.processes["paused"].pid, signal.SIGCONT)
    assert await crew.drain("short") == 0
    handle = await began(crew, starter)
    assert len((await handle.wait(30))["Asker"]) == 30
    assert (await audit(starter.broker, handle.place)).takeovers == 0, crew.logs()


async def test_a_lease_that_shrinks_under_those_who_play_costs_them_little(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("only", lease=30.0)
    handle = await began(crew, starter)
    async with pavane.open(crew.url) as other:
        await other.broker.ensure_queue(places.queue(crew.space), lease=0.6)
        for role in ("Asker", "Teller"):
            topic = places.topic("Talk", role, crew.load("Talk").compiled.fingerprint)
            await other.broker.take(places.queue(crew.space), topic=topic, timeout=0.01)
    assert len((await handle.wait(30))["Asker"]) == 30
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert found.faults == []
    assert found.takeovers <= 4, crew.logs()
