"""What annotations cost in a durable session: messages with a capability, a charge from a lease and
two facts each, against messages without any, both stored and delivered.

* a stream: messages/s on one channel, as fast as they can be sent.
* sessions: questions/s of 64 sessions at once, where each waits for its answer; so nothing of it is
  shared by several messages. There is no goal for it.
"""

from __future__ import annotations

import asyncio

import pavane
from benchmarks.measure import PAYLOAD, Figure, medians, rate
from pavane.broker.embedded import Server

MESSAGES = 40_000
SESSIONS = 64
ROUNDS = 20


def protocol(name: str, annotations: str, count: int) -> pavane.Choreography:
    return pavane.load(
        f"protocol {name} {{ roles: A, B; loop (count: {count}) {{ A{annotations} -> B: Item(String) }} }}"
    )


ANNOTATIONS = (
    '[guard_capability = "deliver", flow_cost = 1, journal_facts = "item_made, item_sent"]'
)
annotated = protocol("Annotated", ANNOTATIONS, MESSAGES)
bare = protocol("Bare", "", MESSAGES)


async def played(runtime: pavane.Runtime, choreography: pavane.Choreography, count: int) -> float:
    async def sender(me: pavane.Endpoint) -> None:
        for _ in range(count):
            await me.send("Item", PAYLOAD)

    async def receiver(me: pavane.Endpoint) -> None:
        for _ in range(count):
            await me.receive("Item")

    return await rate(count, runtime.run(choreography, A=sender, B=receiver, durable=True))


def asking(name: str, annotations: str) -> pavane.Choreography:
    return pavane.load(
        f"protocol {name} {{ roles: A, B; loop (count: {ROUNDS}) {{"
        f" A{annotations} -> B: Ask(String) B -> A: Tell(String) }} }}"
    )


costly_ask, bare_ask = asking("CostlyAsk", ANNOTATIONS), asking("BareAsk", "")


async def asker(me: pavane.Endpoint) -> None:
    for _ in range(ROUNDS):
        await me.send("Ask", PAYLOAD)
        await me.receive("Tell")


async def teller(me: pavane.Endpoint) -> None:
    for _ in range(ROUNDS):
        await me.send("Tell", await me.receive("Ask"))


async def asked(runtime: pavane.Runtime, choreography: pavane.Choreography) -> float:
    sessions = [runtime.run(choreography, A=asker, B=teller, durable=True) for _ in range(SESSIONS)]
    return await rate(SESSIONS * ROUNDS, asyncio.gather(*sessions))


async def main() -> None:
    async with Server() as server, pavane.open(server.url) as runtime:
        ours, theirs = await medians(
            lambda: played(runtime, annotated, MESSAGES), lambda: played(runtime, bare, MESSAGES)
        )
        Figure("annotated durable stream", ours, theirs, ours / theirs, 0.5, "messages/s").show()
        ours, theirs = await medians(
            lambda: asked(runtime, costly_ask), lambda: asked(runtime, bare_ask)
        )
        name = f"annotated durable questions, {SESSIONS} sessions"
        Figure(name, ours, theirs, ours / theirs, 0, "round trips/s").show()


if __name__ == "__main__":
    asyncio.run(main())
