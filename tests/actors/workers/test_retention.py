"""Sessions that are over are kept until they are purged; what is left of them then."""

from __future__ import annotations

import asyncio

import pytest

import pavane
from pavane.actors.durable import purging, records
from pavane.actors.durable.errors import SessionPurged, StillRunning
from pavane.actors.durable.names import Place, stream
from pavane.actors.durable.records import Purged
from pavane.actors.durable.start import started, units
from pavane.actors.workers.overview import summaries
from pavane.actors.workers.queueing import enqueue
from pavane.actors.workers.retention import ended, purge, sweep
from pavane.actors.workers.worker import Worker
from pavane.broker.contract import Broker

ASK = """#[namespace = "%s"]
protocol Ask { roles: A, B; A -> B: Ask(int) B -> A: Tell(int) }"""


async def a(me: pavane.Endpoint) -> int:
    await me.send("Ask", me.input)
    answer: int = await me.receive("Tell")
    return answer


async def b(me: pavane.Endpoint) -> None:
    asked: int = await me.receive("Ask")
    if asked == 0:
        await asyncio.sleep(60)
    await me.send("Tell", 2 * asked)


def served(space: str) -> pavane.Choreography:
    ask = pavane.load(ASK % space)
    ask.role("A")(a)
    ask.role("B")(b)
    return ask


async def left(broker: Broker, space: str, session: str) -> int:
    return len([r async for r in broker.read(stream(space), f"{space}.Ask.*.*.{session}.*.*.*")])


async def test_a_purged_session_is_gone_and_its_neighbours_are_not(
    runtime: pavane.Runtime, unique: str
) -> None:
    ask = served(unique)
    broker = runtime.broker
    for number in range(1, 4):
        await runtime.run(ask, durable=True, session=f"s{number}", input=number)
    kept = await left(broker, unique, "s1")
    first, second, third = sorted(await summaries(broker, unique), key=lambda s: s.session)
    assert [s.session for s in await ended(broker, unique, 3600)] == []
    assert len(await ended(broker, unique, 0)) == 3
    assert await purge(broker, second) == kept
    assert await left(broker, unique, "s2") == 1
    assert await left(broker, unique, "s1") == await left(broker, unique, "s3") == kept
    assert {s.session for s in await summaries(broker, unique)} == {"s1", "s3"}
    with pytest.raises(SessionPurged, match="is over, and its log was purged"):
        await runtime.run(ask, durable=True, session="s2", input=2)
    assert (await runtime.run(ask, durable=True, session="s1", input=1))["A"] == 2
    assert (first.outcome, third.outcome) == ("done", "done")


async def test_what_goes_on_is_not_purged_and_what_is_purged_cannot_be_asked(
    nats_url: str, unique: str
) -> None:
    ask = served(unique)
    async with pavane.open(nats_url) as runtime:
        worker = Worker(runtime)
        worker.serve(ask)
        working = asyncio.create_task(worker.run())
        handle = await runtime.start(ask, input=0, patience=20)
        with pytest.raises(StillRunning, match="not over"):
            await handle.purge()
        await handle.cancel("enough")
        with pytest.raises(pavane.SessionCancelled):
            await handle.wait(20)
        assert await handle.purge() > 3
        for question in (handle.purge, handle.status, handle.result):
            with pytest.raises(SessionPurged):
                await question()
        worker.drain(0)
        await working
        assert await left(runtime.broker, unique, handle.id) == 1, "nor does a worker write it anew"


async def test_what_is_left_on_the_queue_of_a_purged_session_is_dropped(
    nats_url: str, unique: str
) -> None:
    ask = served(unique)
    place = Place(unique, "Ask", "left")
    async with pavane.open(nats_url) as runtime:
        broker = runtime.broker
        await runtime.run(ask, durable=True, session="left", input=3)
        begun = await started(broker, place)
        assert await purging.purge(broker, place, begun) > 3
        await enqueue(broker, units(place, begun))
        late = Worker(runtime)
        late.serve(ask)
        working = asyncio.create_task(late.run())
        async with asyncio.timeout(20):
            while late.ended < 2:
                await asyncio.sleep(0.02)
        late.drain(0)
        await working
        assert await summaries(broker, unique) == []
        assert await left(broker, unique, "left") > 1
        assert await sweep(broker, unique) == 1
        assert await left(broker, unique, "left") == 1


async def test_a_purge_that_was_interrupted_is_gone_on_with(
    runtime: pavane.Runtime, unique: str
) -> None:
    ask = served(unique)
    broker = runtime.broker
    for session in ("half", "whole"):
        await runtime.run(ask, durable=True, session=session, input=3)
    half = Place(unique, "Ask", "half")
    await broker.purge(half.stream, half.mailbox("A"))
    (found,) = [s for s in await summaries(broker, unique) if s.session == "half"]
    assert found.state == "done"
    assert (await runtime.run(ask, durable=True, session="half", input=3))["A"] == 6
    mark = records.pack(Purged(["A", "B"], 1.0))
    await broker.append(half.stream, half.operator, mark)
    assert [s.session for s in await summaries(broker, unique)] == ["whole"]
    assert await sweep(broker, unique) == 1
    assert await left(broker, unique, "half") == 1
    assert await sweep(broker, unique) == 0
    with pytest.raises(SessionPurged):
        await runtime.run(ask, durable=True, session="half", input=3)
    assert (await runtime.run(ask, durable=True, session="whole", input=3))["A"] == 6


async def test_who_has_taken_what_and_when_is_told_without_the_whole_log(
    runtime: pavane.Runtime, unique: str
) -> None:
    ask = served(unique)
    broker = runtime.broker
    playing = [
        asyncio.create_task(runtime.run(ask, durable=True, session=f"s{n}", input=0))
        for n in range(3)
    ]
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.05)
            found = await summaries(broker, unique) if await broker.streams(stream(unique)) else []
            if [s.state for s in found] == ["running"] * 3:
                break
    everything = [[r async for r in broker.read(stream(unique), s.place.everything)] for s in found]
    assert [s.touched for s in found] == [records[-1].time / 1e9 for records in everything]
    assert all(unit.taken == 1 and unit.worker for s in found for unit in s.units.values())
    for task in playing:
        task.cancel()
    await asyncio.gather(*playing, return_exceptions=True)
