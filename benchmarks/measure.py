"""What the figures share: medians of interleaved runs, and the form of a result."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from nats.aio.client import Client

PAYLOAD = "x" * 64
"""64 characters, so 64 bytes on either wire."""

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number. `ratio` is how much of `theirs` we reach (or, for times, how many
    times faster than `theirs` we are), and has to be at least `goal`."""

    name: str
    ours: float
    theirs: float
    ratio: float
    goal: float
    unit: str

    def show(self) -> None:
        """Print it the way `run.py` reads it."""
        print(json.dumps(asdict(self)))


class PlainMessage(Protocol):
    data: bytes


class PlainSubscription(Protocol):
    async def unsubscribe(self) -> None: ...


class PlainClient(Protocol):
    """What the figures use of nats-py's client, with types."""

    async def publish(self, subject: str, payload: bytes) -> None: ...

    async def subscribe(
        self,
        subject: str,
        *,
        cb: Callable[[Any], Awaitable[None]],
        pending_msgs_limit: int = ...,
        pending_bytes_limit: int = ...,
    ) -> PlainSubscription: ...


Measurement = Callable[[], Awaitable[float]]


async def rate(count: int, work: Awaitable[object]) -> float:
    """How many of `count` things a second."""
    gc.collect()
    begun = time.perf_counter()
    await work
    return count / (time.perf_counter() - begun)


async def medians(ours: Measurement, theirs: Measurement, runs: int = RUNS) -> tuple[float, float]:
    """Run both in turn, so that what else the machine does falls on both."""
    await ours()
    await theirs()
    pairs = [(await ours(), await theirs()) for _ in range(runs)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


@asynccontextmanager
async def plain_client(url: str) -> AsyncGenerator[PlainClient]:
    """nats-py as it comes."""
    client: Any = Client()
    await client.connect(url)
    try:
        yield client
    finally:
        await client.close()


def main(figure: Callable[[], Awaitable[Figure]]) -> None:
    """Measure one figure and print it."""
    asyncio.run(_measured(figure)).show()


async def _measured(figure: Callable[[], Awaitable[Figure]]) -> Figure:
    return await figure()
