"""Ten thousand live sessions of two roles at once in one process over NATS, against one: messages a
second, and what each takes of memory while all are open."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pavane
from pavane import Endpoint, Runtime
from pavane.broker.embedded import Server

from .ask import TEXT
from .measure import PAYLOAD, Figure, main_on_loops

SESSIONS = 10_000
ROUNDS = 5
ALONE = 3_000
KIB = 20.0
PAGE = 4096


@dataclass
class Crowd:
    """Sessions that all ask once, wait for each other, and then go on."""

    sessions: int
    rounds: int
    waiting: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    everybody: asyncio.Event = field(default_factory=asyncio.Event)

    async def a(self, me: Endpoint) -> None:
        await self.ask(me)
        self.waiting += 1
        if self.waiting == self.sessions:
            self.everybody.set()
        await self.gate.wait()
        for _ in range(self.rounds):
            await self.ask(me)

    async def ask(self, me: Endpoint) -> None:
        await me.send("Ask", PAYLOAD)
        await me.receive("Reply")

    async def b(self, me: Endpoint) -> None:
        for _ in range(self.rounds + 1):
            await me.send("Reply", await me.receive("Ask"))


async def played(runtime: Runtime, sessions: int, rounds: int) -> tuple[float, float]:
    """Round trips a second while all are open, and KiB for each session."""
    crowd = Crowd(sessions, rounds)
    protocol = pavane.load(TEXT).bind(N=rounds + 1)
    gc.collect()
    before = resident()
    playing = [
        asyncio.create_task(runtime.run(protocol, A=crowd.a, B=crowd.b)) for _ in range(sessions)
    ]
    await crowd.everybody.wait()
    gc.collect()
    took = (resident() - before) / sessions
    begun = time.perf_counter()
    crowd.gate.set()
    outcomes: list[Any] = await asyncio.gather(*playing)
    assert len(outcomes) == sessions
    return sessions * rounds / (time.perf_counter() - begun), took


def resident() -> float:
    """This process, in KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1024


async def figures() -> list[Figure]:
    async with Server() as server, pavane.open(server.url) as runtime:
        await played(runtime, 1, 10)
        many, took = await played(runtime, SESSIONS, ROUNDS)
        one, _ = await played(runtime, 1, ALONE)
    return [
        Figure("10 000 live sessions to one", many, one, many / one, 0.5, "round trips/s"),
        Figure("each of 10 000 live sessions", took, KIB, KIB / took, 1.0, "KiB, of those allowed"),
    ]


if __name__ == "__main__":
    main_on_loops(figures)
