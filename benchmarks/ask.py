"""Ask and reply, one after the other: a live session over NATS, against plain nats-py publish and
callback both ways, one process and one connection each."""

from __future__ import annotations

import asyncio

import pavane
from pavane import Endpoint
from pavane.broker.embedded import Server

from .measure import PAYLOAD, Figure, PlainClient, PlainMessage, main, medians, plain_client, rate

COUNT = 5_000
TEXT = "protocol Ask { roles: A, B; loop (count: N) { A -> B: Ask(str); B -> A: Reply(str); } }"


async def a(me: Endpoint) -> None:
    for _ in range(COUNT):
        await me.send("Ask", PAYLOAD)
        await me.receive("Reply")


async def b(me: Endpoint) -> None:
    for _ in range(COUNT):
        await me.send("Reply", await me.receive("Ask"))


async def plain(client: PlainClient) -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    async def reply(message: PlainMessage) -> None:
        await client.publish("plain.reply", message.data)

    async def take(message: PlainMessage) -> None:
        answer.set_result(message.data)

    asked = await client.subscribe("plain.ask", cb=reply)
    replied = await client.subscribe("plain.reply", cb=take)
    payload = PAYLOAD.encode()
    for _ in range(COUNT):
        answer = loop.create_future()
        await client.publish("plain.ask", payload)
        await answer
    await asked.unsubscribe()
    await replied.unsubscribe()


async def figure() -> Figure:
    server = Server()
    await server.start()
    try:
        ask = pavane.load(TEXT).bind(N=COUNT)
        async with pavane.open(server.url) as runtime, plain_client(server.url) as client:
            ours, theirs = await medians(
                lambda: rate(COUNT, runtime.run(ask, A=a, B=b)),
                lambda: rate(COUNT, plain(client)),
            )
    finally:
        await server.stop()
    return Figure("ask and reply, NATS", ours, theirs, ours / theirs, 0.5, "round trips/s")


if __name__ == "__main__":
    main(figure)
