"""Delivered messages a second: a two-role live session over NATS, monitor and payload checks on,
against plain nats-py publish to callback, one process and one connection each."""

from __future__ import annotations

import asyncio

import pavane
from pavane import Endpoint
from pavane.broker.embedded import Server

from .measure import PAYLOAD, Figure, PlainClient, PlainMessage, main, medians, plain_client, rate

COUNT = 100_000
TEXT = "protocol Stream { roles: A, B; loop (count: N) { A -> B: Item(str); } }"


async def a(me: Endpoint) -> None:
    for _ in range(COUNT):
        await me.send("Item", PAYLOAD)


async def b(me: Endpoint) -> None:
    for _ in range(COUNT):
        await me.receive("Item")


async def plain(client: PlainClient) -> None:
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
    payload = PAYLOAD.encode()
    for _ in range(COUNT):
        await client.publish("plain.stream", payload)
    await done.wait()
    await subscription.unsubscribe()


async def figure() -> Figure:
    server = Server()
    await server.start()
    try:
        stream = pavane.load(TEXT).bind(N=COUNT)
        async with pavane.open(server.url) as runtime, plain_client(server.url) as client:
            ours, theirs = await medians(
                lambda: rate(COUNT, runtime.run(stream, A=a, B=b)),
                lambda: rate(COUNT, plain(client)),
            )
    finally:
        await server.stop()
    return Figure("stream, NATS", ours, theirs, ours / theirs, 0.5, "messages/s")


if __name__ == "__main__":
    main(figure)
