"""Streams, on every driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from pavane.broker.contract import Broker, Record
from pavane.broker.errors import PayloadTooLarge, StreamRefused, WrongSequence

Until = Callable[[Callable[[], bool]], Awaitable[None]]


async def records(broker: Broker, stream: str, subject: str = ">", start: int = 1) -> list[Record]:
    return [record async for record in broker.read(stream, subject, start=start)]


@pytest.fixture
async def stream(broker: Broker, unique: str) -> str:
    await broker.ensure_stream(unique, [f"{unique}.>"])
    return unique


async def test_records_come_back_in_order_with_sequence_and_time(
    broker: Broker, other: Broker, stream: str
) -> None:
    before = time.time_ns()
    sequences = [await broker.append(stream, f"{stream}.a", bytes([n])) for n in range(5)]
    assert sequences == [1, 2, 3, 4, 5]
    found = await records(other, stream)
    assert [r.payload for r in found] == [bytes([n]) for n in range(5)]
    assert [r.sequence for r in found] == sequences
    assert {r.subject for r in found} == {f"{stream}.a"}
    assert all(before - 10**9 <= r.time <= time.time_ns() + 10**9 for r in found)
    assert [r.time for r in found] == sorted(r.time for r in found)


async def test_reading_from_a_sequence_and_by_subject(broker: Broker, stream: str) -> None:
    for number in range(10):
        await broker.append(stream, f"{stream}.{'even' if number % 2 == 0 else 'odd'}.x", b"")
    assert [r.sequence for r in await records(broker, stream, start=8)] == [8, 9, 10]
    assert [r.sequence for r in await records(broker, stream, f"{stream}.odd.x")] == [
        2,
        4,
        6,
        8,
        10,
    ]
    assert [r.sequence for r in await records(broker, stream, f"{stream}.*.x", 9)] == [9, 10]
    assert await records(broker, stream, f"{stream}.odd.x", start=11) == []
    assert await records(broker, stream, f"{stream}.none") == []


async def test_a_long_stream_is_read_whole(broker: Broker, stream: str) -> None:
    await asyncio.gather(*(broker.append(stream, f"{stream}.a", b"x" * 100) for _ in range(3000)))
    assert [r.sequence for r in await records(broker, stream)] == list(range(1, 3001))


async def test_large_records_are_read_whole(broker: Broker, stream: str) -> None:
    big = b"x" * (broker.max_payload - 1000)
    for _ in range(12):
        await broker.append(stream, f"{stream}.a", big)
    assert [len(r.payload) for r in await records(broker, stream)] == [len(big)] * 12


async def test_an_empty_payload_is_a_record(broker: Broker, stream: str) -> None:
    await broker.append(stream, f"{stream}.a", b"")
    assert [r.payload for r in await records(broker, stream)] == [b""]
    last = await broker.last(stream, f"{stream}.a")
    assert last is not None
    assert last.payload == b""


async def test_following_sees_what_comes_later(
    broker: Broker, other: Broker, stream: str, until: Until
) -> None:
    await broker.append(stream, f"{stream}.a", b"1")
    got: list[bytes] = []

    async def follow() -> None:
        async for record in other.read(stream, f"{stream}.*", follow=True):
            got.append(record.payload)

    task = asyncio.create_task(follow())
    await until(lambda: len(got) == 1)
    for number in range(2, 1500):
        await broker.append(stream, f"{stream}.{number % 3}", str(number).encode())
    await until(lambda: len(got) == 1499)
    assert [int(p) for p in got] == list(range(1, 1500))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_same_message_id_appends_once(broker: Broker, other: Broker, stream: str) -> None:
    first = await broker.append(stream, f"{stream}.a", b"x", message_id="one")
    assert await other.append(stream, f"{stream}.a", b"x", message_id="one") == first
    assert await broker.append(stream, f"{stream}.a", b"y", message_id="two") == first + 1
    assert len(await records(broker, stream)) == 2


async def test_expected_decides_between_two_writers(
    broker: Broker, other: Broker, stream: str
) -> None:
    first = await broker.append(stream, f"{stream}.a", b"", expected=0)
    await broker.append(stream, f"{stream}.b", b"")
    second = await other.append(stream, f"{stream}.a", b"", expected=first)
    with pytest.raises(WrongSequence) as caught:
        await broker.append(stream, f"{stream}.a", b"stale", expected=first)
    assert (caught.value.expected, caught.value.actual) == (first, second)
    with pytest.raises(WrongSequence):
        await broker.append(stream, f"{stream}.new", b"", expected=7)
    assert b"stale" not in [r.payload for r in await records(broker, stream)]


async def test_of_many_writers_with_one_expectation_one_wins(
    broker: Broker, other: Broker, stream: str
) -> None:
    outcomes = await asyncio.gather(
        *((broker, other)[n % 2].append(stream, f"{stream}.a", b"", expected=0) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, WrongSequence) for outcome in outcomes) == 19


async def test_a_retry_with_id_and_expectation_finds_its_own_record(
    broker: Broker, stream: str
) -> None:
    first = await broker.append(stream, f"{stream}.a", b"", message_id="m", expected=0)
    again = await broker.append(stream, f"{stream}.a", b"", message_id="m", expected=0)
    assert again == first


async def test_last_is_the_newest_on_exactly_that_subject(broker: Broker, stream: str) -> None:
    assert await broker.last(stream, f"{stream}.a") is None
    await broker.append(stream, f"{stream}.a", b"1")
    await broker.append(stream, f"{stream}.a.b", b"other")
    sequence = await broker.append(stream, f"{stream}.a", b"2")
    last = await broker.last(stream, f"{stream}.a")
    assert last is not None
    assert (last.subject, last.sequence, last.payload) == (f"{stream}.a", sequence, b"2")
    read = [r for r in await records(broker, stream) if r.sequence == sequence]
    assert read == [last]


async def test_last_is_found_by_a_pattern(broker: Broker, stream: str) -> None:
    for subject in ("a.x", "b.x", "a.y"):
        await broker.append(stream, f"{stream}.{subject}", subject.encode())
    for pattern, payload in (("*.x", b"b.x"), ("a.*", b"a.y"), (">", b"a.y")):
        found = await broker.last(stream, f"{stream}.{pattern}")
        assert found is not None
        assert found.payload == payload
    assert await broker.last(stream, f"{stream}.*.z") is None


async def test_what_is_purged_is_gone_and_nothing_else(broker: Broker, stream: str) -> None:
    for number in range(6):
        await broker.append(stream, f"{stream}.{'ab'[number % 2]}", b"", message_id=f"m{number}")
    assert await broker.purge(stream, f"{stream}.a", keep=1) == 2
    assert await broker.purge(stream, f"{stream}.a", keep=1) == 0
    found = await broker.last(stream, f"{stream}.a")
    assert found is not None
    assert found.sequence == 5
    assert await broker.purge(stream, f"{stream}.a") == 1
    assert await broker.purge(stream, f"{stream}.a") == 0
    assert [r.sequence for r in await records(broker, stream)] == [2, 4, 6]
    assert await broker.last(stream, f"{stream}.a") is None
    assert (await broker.room(stream)).used > 0
    assert await broker.append(stream, f"{stream}.a", b"", expected=0) == 7
    assert await broker.purge(stream, ">") == 4
    assert await records(broker, stream) == []
    assert await broker.append(stream, f"{stream}.a", b"", expected=0) == 8
    with pytest.raises(StreamRefused):
        await broker.purge(f"{stream}none", ">")


async def test_a_read_ends_though_its_last_record_is_purged(broker: Broker, stream: str) -> None:
    await asyncio.gather(*(broker.append(stream, f"{stream}.a", b"x" * 100) for _ in range(1500)))
    found = list[int]()
    async with asyncio.timeout(10):
        async for record in broker.read(stream):
            found.append(record.sequence)
            if len(found) == 1:
                await broker.purge(stream, ">")
    assert found == list(range(1, len(found) + 1))
    assert len(found) < 1500


async def test_a_stream_takes_what_is_published_and_delivers_what_is_appended(
    broker: Broker, other: Broker, stream: str, until: Until
) -> None:
    got: list[bytes] = []
    await other.subscribe(f"{stream}.>", lambda _s, p: got.append(p))
    await broker.append(stream, f"{stream}.a", b"appended", message_id="x")
    other.publish(f"{stream}.a", b"published")
    await other.drained()
    await until(lambda: len(got) == 2)
    assert got == [b"appended", b"published"]
    assert [r.payload for r in await records(broker, stream)] == got


async def test_a_stream_is_widened_and_never_narrowed(broker: Broker, stream: str) -> None:
    await broker.append(stream, f"{stream}.a", b"1")
    await broker.ensure_stream(stream, [f"{stream}-more.*"])
    await broker.ensure_stream(stream, [f"{stream}.a"])
    await broker.append(stream, f"{stream}-more.a", b"2")
    await broker.append(stream, f"{stream}.z", b"3")
    assert [r.payload for r in await records(broker, stream)] == [b"1", b"2", b"3"]


async def test_streams_are_found_by_how_their_names_begin(broker: Broker, unique: str) -> None:
    for name in ("b", "a"):
        await broker.ensure_stream(f"{unique}-{name}", [f"{unique}-{name}.>"])
    assert await broker.streams(f"{unique}-") == [f"{unique}-a", f"{unique}-b"]
    assert await broker.streams(f"{unique}-none") == []


async def test_many_may_ensure_one_stream_at_once(
    broker: Broker, other: Broker, unique: str
) -> None:
    await asyncio.gather(
        *((broker, other)[n % 2].ensure_stream(unique, [f"{unique}.{n}"]) for n in range(8))
    )
    for number in range(8):
        await (broker, other)[number % 2].append(unique, f"{unique}.{number}", b"")
    assert len(await records(broker, unique)) == 8


async def test_what_a_stream_does_not_do_is_said(broker: Broker, stream: str, unique: str) -> None:
    with pytest.raises(StreamRefused, match="does not capture"):
        await broker.append(stream, "elsewhere.a", b"")
    with pytest.raises(StreamRefused, match="no such stream"):
        await broker.append(f"{unique}-none", f"{unique}-none.a", b"")
    with pytest.raises(StreamRefused, match="no such stream"):
        await records(broker, f"{unique}-none")
    with pytest.raises(StreamRefused, match="no such stream"):
        await broker.last(f"{unique}-none", "a")
    with pytest.raises(StreamRefused):
        await broker.ensure_stream(f"{unique}-thief", [f"{stream}.a"])
    with pytest.raises(PayloadTooLarge):
        await broker.append(stream, f"{stream}.a", b"x" * (broker.max_payload + 1))
