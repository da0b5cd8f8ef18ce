"""What annotations cost in a durable session: messages/s on one channel, each with a capability, a
charge from a lease and two facts, against messages without any, both stored and delivered."""

from __future__ import annotations

import asyncio

import pavane
from benchmarks.measure import PAYLOAD, Figure, medians, rate
from pavane.broker.embedded import Server

MESSAGES = 5_000


def protocol(name: str, annotations: str) -> pavane.Choreography:
    return pavane.load(
        f"protocol {name} {{ roles: A, B; loop (count: {MESSAGES}) {{ A{annotations} -> B: Item(String) }} }}"
    )


annotated = protocol(
    "Annotated",
    '[guard_capability = "deliver", flow_cost = 1, journal_facts = "item_made, item_sent"]',
)
bare = protocol("Bare", "")


async def sender(me: pavane.Endpoint) -> None:
    for _ in range(MESSAGES):
        await me.send("Item", PAYLOAD)


async def receiver(me: pavane.Endpoint) -> None:
    for _ in range(MESSAGES):
        await me.receive("Item")


async def played(runtime: pavane.Runtime, choreography: pavane.Choreography) -> float:
    return await rate(MESSAGES, runtime.run(choreography, A=sender, B=receiver, durable=True))


async def main() -> None:
    async with Server() as server, pavane.open(server.url) as runtime:
        ours, theirs = await medians(
            lambda: played(runtime, annotated), lambda: played(runtime, bare)
        )
    Figure("annotated durable message", ours, theirs, ours / theirs, 0.5, "messages/s").show()


if __name__ == "__main__":
    asyncio.run(main())
