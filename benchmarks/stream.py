"""Delivered messages a second: a two-role live session over NATS, monitor and payload checks on,
against plain nats-py publish to callback, one process and one connection each."""

from __future__ import annotations

import asyncio

import pavane
from pavane import Endpoint, Runtime

from .measure import PAYLOAD, Figure, PlainClient, PlainMessage, Roles, against_plain, main_on_loops

COUNT = 100_000
TEXT = "protocol Stream { roles: A, B; loop (count: N) { A -> B: Item(str); } }"


def roles(count: int, payload: str = PAYLOAD) -> Roles:
    async def a(me: Endpoint) -> None:
        for _ in range(count):
            await me.send("Item", payload)

    async def b(me: Endpoint) -> None:
        for _ in range(count):
            await me.receive("Item")

    return {"A": a, "B": b}


async def plain(client: PlainClient, text: str) -> None:
    done = asyncio.Event()
    received = 0

    async def count(message: PlainMessage) -> None:
        nonlocal received
        received += 1
        if received == COUNT:
            done.set()

    subscription = await client.subscribe(
        "plain.stream", cb=count, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    payload = text.encode()
    for _ in range(COUNT):
        await client.publish("plain.stream", payload)
    await done.wait()
    await subscription.unsubscribe()


async def figures() -> list[Figure]:
    stream = pavane.load(TEXT).bind(N=COUNT)

    async def play(runtime: Runtime, payload: str) -> None:
        await runtime.run(stream, roles(COUNT, payload))

    return await against_plain("live stream", play, plain, count=COUNT, goal=2.0, unit="messages/s")


if __name__ == "__main__":
    main_on_loops(figures)
