"""Who is there: workers that answer, that leave, and those that nobody is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from pavane.actors.workers import places, roll
from pavane.actors.workers.announcement import Announcement, Service, decode, encode
from pavane.actors.workers.beacon import BEAT, Beacon
from pavane.actors.workers.roll import calling, present
from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.errors import FrameError


def announcement(name: str, namespace: str, *, leaving: bool = False) -> Announcement:
    services = (Service("Shop", "Seller", "1f" * 8, 3),)
    return Announcement(
        name, namespace, "here", 17, time.time(), 100, 0 if leaving else 3, leaving, b"", services
    )


@pytest.fixture
async def other(broker: Broker, broker_url: str) -> AsyncIterator[Broker]:
    connection = await connect(broker_url)
    yield connection
    await connection.close()


async def test_a_worker_answers_who_asks(broker: Broker, other: Broker, unique: str) -> None:
    beacons = [
        Beacon(broker, [unique], lambda ns: announcement("b", ns)),
        Beacon(broker, [unique], lambda ns: announcement("a", ns)),
    ]
    for beacon in beacons:
        await beacon.open()
    began = time.perf_counter()
    found = await present(other, unique)
    assert time.perf_counter() - began < BEAT / 2
    assert [worker.name for worker in found] == ["a", "b"]
    assert found[0].services[0].running == 3
    assert await present(other, f"{unique}-other") == []
    for beacon in beacons:
        await beacon.close()


async def test_all_namespaces_are_heard_by_their_beats(
    broker: Broker, other: Broker, unique: str
) -> None:
    spaces = [f"{unique}-one", f"{unique}-two"]
    beacon = Beacon(broker, spaces, lambda ns: announcement("w", ns))
    await beacon.open()
    found = await present(other)
    assert {w.namespace for w in found} >= set(spaces)
    await beacon.close()


async def test_who_leaves_is_struck_off(broker: Broker, other: Broker, unique: str) -> None:
    leaving = False
    beacon = Beacon(broker, [unique], lambda ns: announcement("w", ns, leaving=leaving))
    await beacon.open()
    async with calling(other, unique) as called:
        assert await called.until(lambda p: len(p) == 1, 2.0)
        leaving = True
        await beacon.close()
        assert await called.until(lambda p: not p, 2.0)


async def test_who_is_silent_is_struck_off(
    other: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll, "BEAT", 0.1)
    async with calling(other, unique) as called:
        called.note(places.worker(unique, "w"), encode(announcement("w", unique)))
        assert len(called.present) == 1
        await asyncio.sleep(0.35)
        assert not called.present


async def test_nobody_speaks_for_another_and_garbage_is_no_worker(
    other: Broker, unique: str
) -> None:
    async with calling(other, unique) as called:
        called.note(places.worker(unique, "x"), encode(announcement("w", unique)))
        called.note(places.worker(unique, "w"), b"\xc1 garbage")
        called.note(places.worker(unique, "w"), b"\xdd\xff\xff\xff\xff")
        assert not called.present
    with pytest.raises(FrameError):
        decode(b"")
