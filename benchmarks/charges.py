"""Exact bounded charges a second on one budget, without a lease, against plain JetStream appends:
both pipelined with 1024 in flight, one process and one connection each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client

from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.effects.flow.budget import Budgets

from .measure import PAYLOAD, Figure, main, medians, rate

COUNT = 50_000
FLIGHT = 1024


async def charges(budgets: Budgets) -> None:
    async def sender(count: int) -> None:
        for _ in range(count):
            await budgets.charge("bench.Charges", "Sender", 1)

    await asyncio.gather(*(sender(COUNT // FLIGHT) for _ in range(FLIGHT)))


async def pipeline(client: Any) -> Callable[[], Awaitable[None]]:
    """Appends by the client's public methods: a reply subject for each, acknowledgements counted."""
    inbox = client.new_inbox()
    room = asyncio.Semaphore(FLIGHT)

    async def acknowledged(_: object) -> None:
        room.release()

    await client.subscribe(f"{inbox}.*", cb=acknowledged, pending_msgs_limit=-1)
    await client.jetstream().add_stream(name="plain", subjects=["plain"])
    payload = PAYLOAD.encode()

    async def append() -> None:
        for number in range(COUNT // FLIGHT * FLIGHT):
            await room.acquire()
            await client.publish("plain", payload, reply=f"{inbox}.{number}")
        for _ in range(FLIGHT):
            await room.acquire()
        for _ in range(FLIGHT):
            room.release()

    return append


async def figure() -> Figure:
    server = Server()
    await server.start()
    broker = await connect(server.url)
    client = Client()
    try:
        await client.connect(server.url)  # pyright: ignore[reportUnknownMemberType]
        budgets = Budgets(broker)
        await budgets.define("bench.Charges", "Sender", 10**12)
        append = await pipeline(client)
        count = COUNT // FLIGHT * FLIGHT
        ours, theirs = await medians(
            lambda: rate(count, charges(budgets)), lambda: rate(count, append())
        )
    finally:
        await client.close()
        await broker.close()
        await server.stop()
    return Figure("bounded charge, NATS", ours, theirs, ours / theirs, 0.7, "charges/s")


if __name__ == "__main__":
    main(figure)
