"""Work queues, on every driver."""

from __future__ import annotations

import asyncio
import time

import pytest

from pavane.broker.contract import Broker, WorkItem
from pavane.broker.errors import BadSubject, StreamRefused

LEASE = 0.5


@pytest.fixture
async def queue(broker: Broker, unique: str) -> str:
    await broker.ensure_queue(unique, lease=LEASE)
    return unique


async def taken(broker: Broker, queue: str, timeout: float = 5.0) -> WorkItem:
    item = await broker.take(queue, timeout=timeout)
    assert item is not None
    return item


async def test_items_come_in_order_and_each_once(broker: Broker, other: Broker, queue: str) -> None:
    for number in range(6):
        await broker.put(queue, bytes([number]))
    seen: list[int] = []
    for number in range(6):
        item = await taken((broker, other)[number % 2], queue)
        assert item.attempt == 1
        seen.append(item.payload[0])
        await item.done()
    assert seen == list(range(6))
    assert await broker.take(queue, timeout=0.05) is None


async def test_an_empty_queue_answers_in_time(broker: Broker, queue: str) -> None:
    for timeout in (0.0, 0.2):
        began = time.perf_counter()
        assert await broker.take(queue, timeout=timeout) is None
        assert timeout - 0.01 <= time.perf_counter() - began < timeout + 0.5


async def test_a_waiting_taker_gets_what_is_put(broker: Broker, other: Broker, queue: str) -> None:
    taking = asyncio.create_task(other.take(queue, timeout=5.0))
    await asyncio.sleep(0.05)
    await broker.put(queue, b"now")
    item = await taking
    assert item is not None
    assert item.payload == b"now"
    await item.done()


async def test_an_item_left_alone_goes_to_another(
    broker: Broker, other: Broker, queue: str
) -> None:
    await broker.put(queue, b"x")
    first = await taken(broker, queue)
    began = time.perf_counter()
    second = await taken(other, queue)
    assert LEASE / 2 < time.perf_counter() - began < LEASE * 4
    assert (first.attempt, second.attempt, second.payload) == (1, 2, b"x")
    await second.done()
    assert await broker.take(queue, timeout=LEASE * 1.5) is None


async def test_progress_keeps_an_item(broker: Broker, other: Broker, queue: str) -> None:
    await broker.put(queue, b"x")
    item = await taken(broker, queue)
    stealing = asyncio.create_task(other.take(queue, timeout=LEASE * 2.5))
    for _ in range(10):
        await asyncio.sleep(LEASE / 4)
        await item.in_progress()
    assert await stealing is None
    await item.done()
    assert await other.take(queue, timeout=LEASE * 1.5) is None


async def test_an_item_given_back_comes_again(broker: Broker, other: Broker, queue: str) -> None:
    await broker.put(queue, b"x")
    await (await taken(broker, queue)).again()
    second = await taken(other, queue, timeout=LEASE / 2)
    assert second.attempt == 2
    await second.again(delay=0.2)
    began = time.perf_counter()
    third = await taken(broker, queue)
    assert 0.1 < time.perf_counter() - began < 2.0
    assert third.attempt == 3
    await third.done()


async def test_the_same_message_id_adds_nothing(broker: Broker, other: Broker, queue: str) -> None:
    await broker.put(queue, b"x", message_id="one")
    await other.put(queue, b"x", message_id="one")
    await (await taken(broker, queue)).done()
    await broker.put(queue, b"x", message_id="one")
    assert await broker.take(queue, timeout=0.1) is None


async def test_a_cancelled_take_loses_nothing(broker: Broker, other: Broker, queue: str) -> None:
    for number in range(40):
        taking = asyncio.create_task(broker.take(queue, timeout=5.0))
        await asyncio.sleep(0.001)
        putting = asyncio.create_task(other.put(queue, bytes([number])))
        await asyncio.sleep(0.0001 * (number % 10))
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await putting
        if taking.cancelled():
            item = await taken(other, queue, timeout=LEASE / 2)
        else:
            item = taking.result() or await taken(other, queue)
        assert item.payload == bytes([number])
        await item.done()


async def test_many_takers_share_the_work(broker: Broker, other: Broker, queue: str) -> None:
    seen: list[bytes] = []

    async def worker(connection: Broker) -> None:
        while (item := await connection.take(queue, timeout=1.0)) is not None:
            seen.append(item.payload)
            await item.done()

    workers = [asyncio.create_task(worker(c)) for c in (broker, other) for _ in range(10)]
    jobs = [str(number).encode() for number in range(400)]
    await asyncio.gather(*(broker.put(queue, job) for job in jobs))
    await asyncio.gather(*workers)
    assert sorted(seen) == sorted(jobs)


async def test_queues_are_apart_and_must_exist(broker: Broker, queue: str, unique: str) -> None:
    await broker.ensure_queue(f"{unique}-two", lease=LEASE)
    await broker.put(queue, b"x")
    assert await broker.take(f"{unique}-two", timeout=0.05) is None
    with pytest.raises(StreamRefused, match="no such queue"):
        await broker.put(f"{unique}-none", b"x")
    with pytest.raises(StreamRefused, match="no such queue"):
        await broker.take(f"{unique}-none", timeout=0.05)


async def test_each_topic_has_items_of_its_own(broker: Broker, other: Broker, queue: str) -> None:
    waiting = asyncio.create_task(other.take(queue, topic="Shop.Seller.1f", timeout=5.0))
    await asyncio.sleep(0.05)
    await broker.put(queue, b"none")
    await broker.put(queue, b"buyer", topic="Shop.Buyer.1f")
    await broker.put(queue, b"seller", topic="Shop.Seller.1f")
    seller = await waiting
    assert seller is not None
    assert seller.payload == b"seller"
    await seller.done()
    for topic, payload in (("Shop.Buyer.1f", b"buyer"), ("", b"none")):
        item = await other.take(queue, topic=topic, timeout=5.0)
        assert item is not None
        assert item.payload == payload
        await item.done()
    assert await other.take(queue, topic="Shop.Buyer", timeout=0.05) is None


async def test_an_item_goes_to_another_within_its_topic(
    broker: Broker, other: Broker, queue: str
) -> None:
    await broker.put(queue, b"x", topic="a")
    assert await broker.take(queue, topic="a", timeout=5.0) is not None
    assert await other.take(queue, topic="b", timeout=LEASE * 1.5) is None
    again = await other.take(queue, topic="a", timeout=5.0)
    assert again is not None
    assert (again.attempt, again.payload) == (2, b"x")
    await again.done()


async def test_a_message_id_is_known_in_all_topics(broker: Broker, queue: str) -> None:
    await broker.put(queue, b"x", topic="a", message_id="one")
    await broker.put(queue, b"x", topic="b", message_id="one")
    assert await broker.take(queue, topic="b", timeout=0.05) is None
    assert await broker.take(queue, topic="a", timeout=5.0) is not None


async def test_long_topics_are_apart(broker: Broker, queue: str) -> None:
    long = ".".join(["x" * 100] * 3)
    await broker.put(queue, b"x", topic=f"{long}.one")
    assert await broker.take(queue, topic=f"{long}.two", timeout=0.05) is None
    assert await broker.take(queue, topic=f"{long}.one", timeout=5.0) is not None


@pytest.mark.parametrize("topic", ["a..b", "*", "a.>", " ", "a.b c", "."])
async def test_a_topic_is_made_of_names(broker: Broker, queue: str, topic: str) -> None:
    with pytest.raises(BadSubject):
        await broker.put(queue, b"x", topic=topic)
    with pytest.raises(BadSubject):
        await broker.take(queue, topic=topic, timeout=0.05)


async def test_the_lease_of_a_queue_can_be_changed(
    broker: Broker, other: Broker, queue: str
) -> None:
    await broker.ensure_queue(queue, lease=0.2)
    await broker.put(queue, b"x")
    await taken(broker, queue)
    began = time.perf_counter()
    assert (await taken(other, queue)).attempt == 2
    assert time.perf_counter() - began < 0.45


async def test_who_only_adds_to_a_queue_leaves_its_lease_alone(
    broker: Broker, other: Broker, unique: str
) -> None:
    await broker.ensure_queue(unique, lease=0.3)
    await other.ensure_queue(unique)
    await other.put(unique, b"x")
    first = await broker.take(unique, timeout=5.0)
    second = await broker.take(unique, timeout=5.0)
    assert first is not None and second is not None
    assert (second.payload, second.attempt) == (b"x", 2)
    await second.done()


async def test_an_item_keeps_its_number_whoever_takes_it(broker: Broker, queue: str) -> None:
    for payload in (b"a", b"b"):
        await broker.put(queue, payload)
    first, second = await taken(broker, queue), await taken(broker, queue)
    assert first.number != second.number
    await first.again()
    once_more = await taken(broker, queue)
    assert (once_more.payload, once_more.number) == (b"a", first.number)


async def test_the_lease_of_a_queue_can_be_asked(broker: Broker, unique: str) -> None:
    assert await broker.lease(unique) is None
    await broker.ensure_queue(unique, lease=0.5)
    assert await broker.lease(unique) == 0.5
