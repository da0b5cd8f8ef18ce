"""How full a stream is, and who says so in time."""

from __future__ import annotations

import logging
from typing import Any

import nats
import pytest

import pavane
from pavane import Endpoint
from pavane.actors.events import Event, LimitNear
from pavane.broker.contract import Broker
from pavane.broker.errors import StreamRefused

library: Any = nats


async def limited(url: str, stream: str, **limits: int) -> None:
    """Give a stream limits, as an operator does."""
    client = await library.connect(url)
    jetstream = client.jetstream()
    config = (await jetstream.stream_info(stream)).config
    await jetstream.update_stream(config.evolve(**limits))
    await client.close()


async def messages(url: str, stream: str) -> int:
    client = await library.connect(url)
    count = (await client.jetstream().stream_info(stream)).state.messages
    await client.close()
    return int(count)


async def test_a_stream_without_limits_has_room(broker: Broker, unique: str) -> None:
    await broker.ensure_stream(unique, [f"{unique}.>"])
    assert (await broker.room(unique)).share == 0.0
    with pytest.raises(StreamRefused):
        await broker.room(f"{unique}-not-there")


@pytest.mark.parametrize(("limit", "unit"), [("max_msgs", "messages"), ("max_bytes", "bytes")])
async def test_a62_the_nearer_limit_of_a_stream_counts(
    broker: Broker, nats_url: str, broker_url: str, unique: str, limit: str, unit: str
) -> None:
    if broker_url != nats_url:
        pytest.skip("in memory nothing is limited")
    await broker.ensure_stream(unique, [f"{unique}.>"])
    await limited(nats_url, unique, **{limit: 10 if unit == "messages" else 2000})
    for number in range(9):
        await broker.append(unique, f"{unique}.x", bytes(100), message_id=str(number))
    room = await broker.room(unique)
    assert room.unit == unit
    assert 0.4 < room.share <= 1.0


async def test_a62_a_log_that_is_nearly_full_warns_when_a_session_is_started(
    nats_url: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Kept {{ roles: A, B; A -> B: M; B -> A: N; }}"""

    async def a(me: Endpoint) -> None:
        await me.send("M")
        await me.receive("N")

    async def b(me: Endpoint) -> None:
        await me.receive("M")
        await me.send("N")

    async def play(events: list[Event]) -> None:
        async with pavane.open(nats_url) as runtime:
            runtime.observe(events.append)
            await runtime.run(pavane.load(text), durable=True, A=a, B=b)

    before, after = list[Event](), list[Event]()
    for _ in range(8):
        await play(before)
    # Nearly full, with room for the session that is warned: eight sessions are in it already.
    allowed = await messages(nats_url, f"SESSIONS_{unique}") * 6 // 5
    await limited(nats_url, f"SESSIONS_{unique}", max_msgs=allowed)
    caplog.set_level(logging.WARNING, "pavane")
    await play(after)
    assert not [event for event in before if isinstance(event, LimitNear)]
    (near,) = [event for event in after if isinstance(event, LimitNear)]
    assert (near.limit, near.name, near.allowed) == ("log", f"SESSIONS_{unique}", allowed)
    assert any(record.getMessage().startswith("log ") for record in caplog.records)
