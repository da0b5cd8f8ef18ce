"""Journal records verified and reduced a second, over NATS, against a plain ordered consumer of
nats-py that only counts the same records.

A record is what one message leaves: an entry for the message, with its receipt, and two facts."""

from __future__ import annotations

import asyncio
from typing import Any

from nats.aio.client import Client

from pavane import Entry, Journal, Reducer, Signer
from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.places import JOURNAL

from .measure import Figure, main, medians, rate

RECORDS = 20_000
WRITERS = 50
FACTS = ("work_started", "work_completed")


def _count(state: int, entry: Entry) -> int:
    return state + 1


async def fill(journal: Journal) -> None:
    """As many records as messages, of writers that take turns."""
    sent = Draft("sent", "", 1, "Work", "Boss", charge=100, receipt=bytes(32), proof=bytes(200))
    message = (sent, *(Draft("fact", name, 1, "Work", "Boss") for name in FACTS))
    writers = [Identity("bench", "Work", f"s{n}", "Worker") for n in range(WRITERS)]
    for _ in range(RECORDS // WRITERS):
        await asyncio.gather(*(journal.add(writer, message) for writer in writers))
    await journal.close()


async def plain(client: Any) -> None:
    """An ordered consumer with a callback, which nats-py resets by itself when it has a gap."""
    done = asyncio.Event()
    received = 0

    async def count(message: object) -> None:
        nonlocal received
        received += 1
        if received == RECORDS:
            done.set()

    subscription = await client.jetstream().subscribe(
        "journal.>", stream=JOURNAL, cb=count, ordered_consumer=True
    )
    await done.wait()
    await subscription.unsubscribe()


async def figure() -> Figure:
    async with Server() as server:
        broker = await connect(server.url)
        journal = Journal(broker, Signer())
        await fill(journal)
        client: Any = Client()
        await client.connect(server.url)
        reducer = Reducer(_count, int)
        try:
            ours, theirs = await medians(
                lambda: rate(RECORDS, journal.rebuild(reducer)),
                lambda: rate(RECORDS, plain(client)),
            )
        finally:
            await client.close()
            await broker.close()
    return Figure("journal verify and replay, NATS", ours, theirs, ours / theirs, 0.5, "records/s")


if __name__ == "__main__":
    main(figure)
