"""Every accepted protocol of the corpus, run by stand-ins: it ends, or it goes on for ever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import pavane
from pavane.actors.events import Event
from pavane.actors.standin import StandIn

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "corpus" / "protocols.jsonl")
    .read_text()
    .splitlines()
]
MISJUDGED = ("19d1aba65ea1", "f97ddcf8dff6")
"""Rows that say `accept` of a protocol with an undefined call, or with an oddity of its own."""

MANY = 3000
"""Events after which a protocol without an end has shown that it goes on."""


async def play(text: str, seed: int) -> bool:
    """Whether the protocol ended; False if it goes on. Raises where it got stuck or failed."""
    (choreography,) = pavane.load_all(text)
    seen = 0
    enough = asyncio.Event()

    def count(_: Event) -> None:
        nonlocal seen
        seen += 1
        if seen > MANY:
            enough.set()

    async with pavane.for_testing() as runtime, asyncio.timeout(20):
        runtime.observe(count)
        roles = dict.fromkeys(choreography.roles, StandIn(seed))
        running = asyncio.create_task(runtime.run(choreography, roles))
        watching = asyncio.create_task(enough.wait())
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        if running.done():
            await running
            return True
        running.cancel()
        await asyncio.wait({running})
        return False


@pytest.mark.parametrize("part", range(8))
async def test_accepted_protocols_run(part: int) -> None:
    rows = [row for row in ROWS if row["verdict"] == "accept" and row["id"] not in MISJUDGED]
    for seed, row in enumerate(rows[part::8]):
        assert isinstance(await play(row["dsl"], seed), bool), row["id"]
