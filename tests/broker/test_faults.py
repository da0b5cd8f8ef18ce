"""What happens to a connection when the network or the server fails under it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from nats.aio.client import Client

from pavane.broker.connect import connect
from pavane.broker.contract import Level
from pavane.broker.embedded import Server, cluster
from pavane.broker.errors import LimitExceeded, NotConnected
from pavane.broker.nats.library import socket_writer
from pavane.broker.options import ConnectOptions

Until = Callable[..., Awaitable[None]]


class Proxy(Protocol):
    answers: asyncio.Event

    @property
    def url(self) -> str: ...
    def cut(self) -> None: ...
    def inject(self, data: bytes) -> None: ...


async def test_a_cut_is_told_and_the_subscription_comes_back(
    proxy: Proxy, nats_url: str, unique: str, until: Until
) -> None:
    broker, other = await connect(proxy.url), await connect(nats_url)
    got: list[bytes] = []
    lost: list[str] = []
    await broker.subscribe(unique, lambda _s, p: got.append(p), lost=lost.append)
    proxy.cut()
    await until(lambda: bool(lost))
    with pytest.raises(NotConnected):
        broker.publish(unique, b"into the void")
    await asyncio.wait_for(broker.subscribe(f"{unique}.x", lambda _s, _p: None), 5)
    other.publish(unique, b"after")
    await until(lambda: got == [b"after"])
    assert lost == ["the connection was cut"]
    await broker.close()
    await other.close()


async def test_a_connection_that_the_server_ended_for_good_is_opened_again(
    proxy: Proxy, nats_url: str, unique: str, until: Until
) -> None:
    """The library gives up for ever on most errors that a server reports."""
    broker, other = await connect(proxy.url), await connect(nats_url)
    got: list[bytes] = []
    lost: list[str] = []
    await broker.subscribe(unique, lambda _s, p: got.append(p), lost=lost.append)
    proxy.inject(b"-ERR 'User Authentication Expired'\r\n")
    await until(lambda: bool(lost))
    await asyncio.wait_for(broker.subscribe(f"{unique}.x", lambda _s, _p: None), 5)
    other.publish(unique, b"after")
    await until(lambda: got == [b"after"])
    broker.publish(unique, b"and out")
    await until(lambda: len(got) == 2)
    await broker.close()
    await other.close()


async def test_a_burst_is_delivered_where_it_is_read_and_nothing_is_dropped(
    nats_url: str, unique: str, until: Until
) -> None:
    """The library's own queue would drop what it cannot hold, and go on as if nothing were."""
    broker, other = await connect(nats_url), await connect(nats_url)
    got: list[bytes] = []
    lost: list[str] = []
    await broker.subscribe(unique, lambda _s, p: got.append(p), lost=lost.append)
    sent = [str(number).encode() for number in range(100_000)]
    for payload in sent:
        other.publish(unique, payload)
    await until(lambda: len(got) == len(sent))
    assert got == sent and not lost
    await broker.close()
    await other.close()


@pytest.mark.parametrize("straight", [True, False])
async def test_order_holds_whichever_way_messages_take_to_the_socket(
    straight: bool, nats_url: str, unique: str, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lone message is written at once, a crowd by the library, all of it where it must be."""
    written: list[bytes] = []

    def writer(client: Any) -> Callable[[bytes], None] | None:
        found = socket_writer(client)
        assert found is not None, "the library is built otherwise: every message takes a turn more"

        def write(data: bytes) -> None:
            written.append(data)
            found(data)

        return write if straight else None

    monkeypatch.setattr("pavane.broker.nats.writer.socket_writer", writer)
    broker = await connect(nats_url)
    got: list[bytes] = []
    await broker.subscribe(unique, lambda _s, p: got.append(p))
    rng = random.Random(7)
    number = 0
    while number < 3000:
        for _ in range(rng.choice((1, 1, 1, 2, 30))):
            broker.publish(unique, str(number).encode())
            number += 1
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
    await until(lambda: len(got) == number)
    assert got == [str(each).encode() for each in range(number)]
    assert bool(written) == straight
    await broker.close()


async def test_a_publish_that_has_to_wait_keeps_its_place(
    nats_url: str, unique: str, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No release of the library makes one wait that never buffers; the next might."""

    def nothing(_: object) -> None:
        return None

    monkeypatch.setattr("pavane.broker.nats.writer.socket_writer", nothing)
    broker = await connect(nats_url)
    got: list[bytes] = []
    await broker.subscribe(unique, lambda _s, p: got.append(p))
    publish = Client.publish

    async def hesitating(self: Client, subject: str, payload: bytes, *rest: Any) -> None:
        await asyncio.sleep(0.001 if payload in (b"0", b"5") else 0)
        if payload == b"7":
            raise OSError("out of order")
        await publish(self, subject, payload, *rest)

    monkeypatch.setattr(Client, "publish", hesitating)
    for number in range(10):
        broker.publish(unique, str(number).encode())
    await until(lambda: len(got) == 9)
    monkeypatch.undo()
    broker.publish(unique, b"last")
    await until(lambda: len(got) == 10)
    assert got == [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"8", b"9", b"last"]
    await broker.close()


async def test_appends_survive_cuts_exactly_once_in_order(
    proxy: Proxy, nats_url: str, unique: str
) -> None:
    """One writer with expectations, cut at random moments, some of them between store and ack."""
    rng = random.Random(3)
    broker, other = await connect(proxy.url), await connect(nats_url)
    await other.ensure_stream(unique, [f"{unique}.>"])

    async def cutting() -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.05, 0.25))
            proxy.cut()

    cutter = asyncio.create_task(cutting())
    last = 0
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < 4:
        last = await broker.append(unique, f"{unique}.a", str(count).encode(), expected=last)
        count += 1
    cutter.cancel()
    found = [int(r.payload) async for r in other.read(unique)]
    assert found == list(range(count))
    await broker.close()
    await other.close()


async def test_an_append_whose_answer_is_lost_is_found_again(
    proxy: Proxy, nats_url: str, unique: str
) -> None:
    broker, other = await connect(proxy.url), await connect(nats_url)
    await other.ensure_stream(unique, [f"{unique}.>"])
    proxy.answers.clear()
    appending = asyncio.create_task(broker.append(unique, f"{unique}.a", b"x", expected=0))
    while await other.last(unique, f"{unique}.a") is None:
        await asyncio.sleep(0.01)
    proxy.cut()
    proxy.answers.set()
    assert await appending == 1
    unsure = asyncio.create_task(broker.append(unique, f"{unique}.b", b"nothing expected"))
    proxy.answers.clear()
    while await other.last(unique, f"{unique}.b") is None:
        await asyncio.sleep(0.01)
    proxy.cut()
    proxy.answers.set()
    assert await unsure == 2
    assert len([r async for r in other.read(unique)]) == 2
    await broker.close()
    await other.close()


async def test_counters_stay_exact_when_answers_are_lost(
    proxy: Proxy, nats_url: str, unique: str
) -> None:
    rng = random.Random(4)
    broker, other = await connect(proxy.url), await connect(nats_url)
    counter = f"{unique}.budget"
    await other.set_limit(counter, 10**9)
    spent = [0, 0]
    stop = time.perf_counter() + 4

    async def spender(which: int) -> None:
        # On a busy machine a connection that is cut so often may need longer for its share.
        while time.perf_counter() < stop or min(spent) <= 10:
            await (broker, other)[which].spend(counter, 1)
            spent[which] += 1
            await asyncio.sleep(0)

    async def cutting() -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.1, 0.5))
            proxy.cut()

    cutter = asyncio.create_task(cutting())
    async with asyncio.timeout(60):
        await asyncio.gather(*(spender(n % 2) for n in range(8)))
    cutter.cancel()
    level = await other.level(counter)
    assert level is not None
    assert level.spent == sum(spent)
    await broker.close()
    await other.close()


async def test_following_goes_on_after_cuts_without_gap_or_repeat(
    proxy: Proxy, nats_url: str, unique: str, until: Until
) -> None:
    broker, other = await connect(proxy.url), await connect(nats_url)
    await other.ensure_stream(unique, [f"{unique}.>"])
    got: list[int] = []

    async def follow() -> None:
        async for record in broker.read(unique, follow=True):
            got.append(record.sequence)

    task = asyncio.create_task(follow())
    for number in range(3000):
        await other.append(unique, f"{unique}.a", b"")
        if number % 700 == 350:
            proxy.cut()
    await until(lambda: len(got) >= 3000)
    assert got == list(range(1, 3001))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await broker.close()
    await other.close()


async def test_work_is_taken_and_done_across_cuts(proxy: Proxy, nats_url: str, unique: str) -> None:
    broker, other = await connect(proxy.url), await connect(nats_url)
    await other.ensure_queue(unique, lease=1.0)
    seen: set[bytes] = set()
    for number in range(60):
        await other.put(unique, str(number).encode())
    while len(seen) < 60:
        item = await broker.take(unique, timeout=3.0)
        assert item is not None
        if len(seen) % 15 == 7:
            proxy.cut()
        seen.add(item.payload)
        await item.done()
    assert await other.take(unique, timeout=1.5) is None
    await broker.close()
    await other.close()


async def test_a50_everything_goes_on_after_the_server_was_killed_and_started_again(
    until: Until,
) -> None:
    async with Server() as server:
        broker = await connect(server.url)
        await broker.ensure_stream("S", ["s.>"])
        await broker.ensure_queue("Q", lease=5.0)
        await broker.set_limit("budget", 100)
        got: list[bytes] = []
        followed: list[int] = []
        lost: list[str] = []
        await broker.subscribe("live", lambda _s, p: got.append(p), lost=lost.append)

        async def follow() -> None:
            async for record in broker.read("S", follow=True):
                followed.append(record.sequence)

        task = asyncio.create_task(follow())
        taking = asyncio.create_task(broker.take("Q", timeout=20.0))
        for _ in range(3):
            await broker.append("S", "s.a", b"before")
            await broker.spend("budget", 10)
        await server.kill()
        await until(lambda: bool(lost))
        appending = asyncio.create_task(broker.append("S", "s.a", b"during", expected=3))
        spending = asyncio.create_task(broker.spend("budget", 10))
        await asyncio.sleep(0.3)
        await server.start()
        assert await asyncio.wait_for(appending, 10) == 4
        assert (await asyncio.wait_for(spending, 10)).spent == 40
        broker.publish("live", b"after")
        await until(lambda: got == [b"after"])
        await until(lambda: followed == [1, 2, 3, 4])
        await broker.put("Q", b"job")
        item = await asyncio.wait_for(taking, 10)
        assert item is not None
        await item.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.close()


async def test_a_server_that_stands_still_is_noticed(until: Until) -> None:
    async with Server() as server:
        broker = await connect(server.url)
        lost: list[str] = []
        await broker.subscribe("x", lambda _s, _p: None, lost=lost.append)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        try:
            await until(lambda: bool(lost), 15.0)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        got: list[bytes] = []
        await asyncio.wait_for(broker.subscribe("y", lambda _s, p: got.append(p)), 10)
        broker.publish("y", b"")
        await until(lambda: len(got) == 1)
        await broker.close()


async def test_three_nodes_lose_nothing_when_the_leader_stops(until: Until) -> None:
    options = ConnectOptions(replicas=3)
    async with cluster(3) as servers:
        url = "nats://" + ",".join(s.url.removeprefix("nats://") for s in servers)
        broker = await connect(url, options=options)
        await broker.ensure_stream("S", ["s.>"])
        await broker.set_limit("budget", 10**6)
        stop = asyncio.Event()
        spent = 0
        count = 0

        async def appending() -> None:
            nonlocal count
            last = 0
            while not stop.is_set():
                last = await broker.append("S", "s.a", str(count).encode(), expected=last)
                count += 1

        async def spending() -> None:
            nonlocal spent
            while not stop.is_set():
                try:
                    level = await broker.spend("budget", 1)
                except LimitExceeded:
                    return
                assert isinstance(level, Level)
                spent += 1

        tasks = [asyncio.create_task(appending()), asyncio.create_task(spending())]
        await until(lambda: count > 100 and spent > 50)
        for server in servers:
            await server.terminate()
            goal = (count + 50, spent + 20)
            async with asyncio.timeout(30):
                while (count, spent) < goal or spent < goal[1]:
                    await asyncio.sleep(0.01)
            await server.start()
            await asyncio.sleep(1.0)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        assert [int(r.payload) async for r in broker.read("S")] == list(range(count))
        level = await broker.level("budget")
        assert level is not None
        assert level.spent == spent
        await broker.close()
