"""Records handed over without waiting, and the fence that stops a writer who is not the last."""

from __future__ import annotations

import asyncio

import pytest

from pavane.broker.contract import Broker, Fence
from pavane.broker.errors import BadSubject, Fenced, NotConnected, PayloadTooLarge, StreamRefused


@pytest.fixture
async def stream(broker: Broker, unique: str) -> str:
    await broker.ensure_stream(unique, [f"{unique}.>"])
    return unique


async def payloads(broker: Broker, stream: str, subject: str = ">") -> list[bytes]:
    return [record.payload async for record in broker.read(stream, subject)]


async def test_what_is_handed_over_in_order_is_stored_in_order(broker: Broker, stream: str) -> None:
    waiting = [
        broker.submit(stream, f"{stream}.{n % 3}", b"%d" % n, message_id=f"m{n}")
        for n in range(500)
    ]
    assert await asyncio.gather(*waiting) == list(range(1, 501))
    assert await payloads(broker, stream) == [b"%d" % n for n in range(500)]


async def test_the_same_id_is_stored_once(broker: Broker, other: Broker, stream: str) -> None:
    first = await broker.submit(stream, f"{stream}.a", b"x", message_id="one")
    again = await other.submit(stream, f"{stream}.a", b"x", message_id="one")
    assert (first, again) == (1, 1)
    assert await payloads(broker, stream) == [b"x"]


async def test_a_raised_fence_stops_the_writer_before_it(
    broker: Broker, other: Broker, stream: str
) -> None:
    gate = f"{stream}.gate"
    mine = Fence(gate, await broker.append(stream, gate, b"mine", expected=0))
    stored = [
        broker.submit(stream, f"{stream}.a", b"%d" % n, message_id=f"a{n}", fence=mine)
        for n in range(100)
    ]
    assert await asyncio.gather(*stored) == list(range(2, 102))

    theirs = Fence(gate, await other.append(stream, gate, b"theirs", expected=mine.sequence))
    late = [
        broker.submit(stream, f"{stream}.a", b"late", message_id=f"b{n}", fence=mine)
        for n in range(50)
    ]
    for refused in await asyncio.gather(*late, return_exceptions=True):
        assert isinstance(refused, Fenced)
        assert refused.fence == gate
    await other.submit(stream, f"{stream}.a", b"next", message_id="c", fence=theirs)
    assert (await payloads(broker, stream, f"{stream}.a"))[-2:] == [b"99", b"next"]


async def test_what_was_stored_before_is_refused_after_the_fence_was_raised(
    broker: Broker, stream: str
) -> None:
    gate = f"{stream}.gate"
    fence = Fence(gate, await broker.append(stream, gate, b"", expected=0))
    await broker.submit(stream, f"{stream}.a", b"x", message_id="one", fence=fence)
    await broker.append(stream, gate, b"", expected=fence.sequence)
    with pytest.raises(Fenced):
        await broker.submit(stream, f"{stream}.a", b"x", message_id="one", fence=fence)


async def test_a_fence_that_nobody_has_raised_is_at_0(broker: Broker, stream: str) -> None:
    fence = Fence(f"{stream}.gate", 0)
    assert await broker.submit(stream, f"{stream}.a", b"", message_id="1", fence=fence) == 1


async def test_submitted_records_reach_live_subscribers(
    broker: Broker, other: Broker, stream: str
) -> None:
    got: list[bytes] = []
    await other.subscribe(f"{stream}.>", lambda _subject, payload: got.append(payload))
    await asyncio.gather(
        *(broker.submit(stream, f"{stream}.a", b"%d" % n, message_id=f"m{n}") for n in range(20))
    )
    async with asyncio.timeout(5):
        while len(got) < 20:
            await asyncio.sleep(0.002)
    assert got == [b"%d" % n for n in range(20)]


async def test_what_no_stream_captures_is_refused(
    broker: Broker, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pavane.broker.nats.submit.NOBODY", 0.3)
    with pytest.raises(StreamRefused):
        await broker.submit(stream, f"no_{stream}.a", b"", message_id="1")


async def test_what_can_never_be_stored_is_refused_at_once(broker: Broker, stream: str) -> None:
    with pytest.raises(PayloadTooLarge):
        broker.submit(stream, f"{stream}.a", b"x" * (broker.max_payload + 1), message_id="1")
    with pytest.raises(BadSubject):
        broker.submit(stream, f"{stream}.*", b"", message_id="1")


async def test_a_closed_connection_says_so(broker: Broker, other: Broker, stream: str) -> None:
    await other.close()
    with pytest.raises(NotConnected):
        await other.submit(stream, f"{stream}.a", b"", message_id="1")
