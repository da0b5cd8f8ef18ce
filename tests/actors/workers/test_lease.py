"""One lease for all workers of a namespace, and items that the server gives out before it is over."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from nats.aio.client import Client

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.workers import places
from pavane.actors.workers.announcement import Announcement
from pavane.actors.workers.beacon import Beacon
from pavane.actors.workers.leasing import agree
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
    said = Announcement("w", unique, "h", 1, 0.0, 1, 0, leaving=False, authority=b"")
    beacon = Beacon(broker, [unique], lambda _: said)
    await beacon.open()
    assert await agree(broker, unique, None) == 2.0
    assert await agree(broker, unique, 5.0) == await broker.lease(queue) == 5.0
    with caplog.at_level(logging.WARNING, "pavane.workers"):
        assert await agree(broker, unique, 1.0) == await broker.lease(queue) == 5.0
    assert "5 s" in caplog.text
    await beacon.close()


async def test_two_workers_of_one_name_are_both_shown(crew: Crew, starter: pavane.Runtime) -> None:
    crew.start("same", "talk")
    first = crew.processes.pop("same")
    crew.start("same", "talk")
    crew.processes["first"] = first
    found = await crew.until(starter, lambda found: len(found) == 2)
    assert {w.pid for w in found} == {p.pid for p in crew.processes.values()}
