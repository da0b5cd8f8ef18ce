"""Work queues on NATS, as far as they differ from those in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from nats.aio.client import Client

from pavane.broker.connect import connect


async def test_takers_survive_the_loss_of_their_consumer(nats_url: str, unique: str) -> None:
    """An operator has deleted it, or the server has forgotten it."""
    broker = await connect(nats_url)
    await broker.ensure_queue(unique, lease=5.0)
    assert await broker.take(unique, topic="a.b", timeout=0.01) is None
    plain: Any = Client()
    await plain.connect(nats_url)
    answer = await plain.request(f"$JS.API.CONSUMER.DELETE.{unique}.a=b", b"")
    assert b'"success":true' in answer.data
    await plain.close()
    taking = asyncio.create_task(broker.take(unique, topic="a.b", timeout=10.0))
    await broker.put(unique, b"x", topic="a.b")
    item = await taking
    assert item is not None
    await item.done()
    await broker.close()
