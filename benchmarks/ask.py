"""Ask and reply over NATS, one at a time and in 64 sessions at once, against plain nats-py publish and
callback both ways, one process and one connection each."""

from __future__ import annotations

import asyncio

import pavane
from pavane import Endpoint, Runtime

from .measure import PAYLOAD, Figure, PlainClient, PlainMessage, Roles, against_plain, main_on_loops

ALONE = 3_000
SESSIONS = 64
EACH = 200
GOAL = 0.8
TEXT = "protocol Ask { roles: A, B; loop (count: N) { A -> B: Ask(str); B -> A: Reply(str); } }"


def roles(count: int, payload: str = PAYLOAD) -> Roles:
    async def a(me: Endpoint) -> None:
        for _ in range(count):
            await me.send("Ask", payload)
            await me.receive("Reply")

    async def b(me: Endpoint) -> None:
        for _ in range(count):
            await me.send("Reply", await me.receive("Ask"))

    return {"A": a, "B": b}


async def plain(client: PlainClient, text: str, askers: int, count: int) -> None:
    """All askers share a subscription, which is the faster way with nats-py."""
    loop = asyncio.get_running_loop()
    answers: dict[str, asyncio.Future[bytes]] = {}

    async def reply(message: PlainMessage) -> None:
        await client.publish(f"plain.reply.{message.subject[10:]}", message.data)

    async def take(message: PlainMessage) -> None:
        answers[message.subject[12:]].set_result(message.data)

    async def ask(name: str) -> None:
        for _ in range(count):
            answer = answers[name] = loop.create_future()
            await client.publish(f"plain.ask.{name}", payload)
            await answer

    asked = await client.subscribe("plain.ask.*", cb=reply)
    replied = await client.subscribe("plain.reply.*", cb=take)
    payload = text.encode()
    await asyncio.gather(*(ask(str(number)) for number in range(askers)))
    await asked.unsubscribe()
    await replied.unsubscribe()


async def figures() -> list[Figure]:
    protocol = pavane.load(TEXT)
    found = list[Figure]()
    for name, sessions, count in (
        ("live ask and reply", 1, ALONE),
        (f"live ask and reply, {SESSIONS} sessions", SESSIONS, EACH),
    ):

        async def play(
            runtime: Runtime, payload: str, sessions: int = sessions, count: int = count
        ) -> None:
            ask = protocol.bind(N=count)
            await asyncio.gather(
                *(runtime.run(ask, roles(count, payload)) for _ in range(sessions))
            )

        async def compare(
            client: PlainClient, payload: str, sessions: int = sessions, count: int = count
        ) -> None:
            await plain(client, payload, sessions, count)

        found += await against_plain(
            name, play, compare, count=sessions * count, goal=GOAL, unit="round trips/s"
        )
    return found


if __name__ == "__main__":
    main_on_loops(figures)
