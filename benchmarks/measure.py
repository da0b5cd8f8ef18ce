"""What the figures share: medians of interleaved runs, and the form of a result."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from nats.aio.client import Client

from pavane import Endpoint, Runtime
from pavane import open as open_runtime
from pavane.broker.embedded import Server

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
    subject: str
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


Roles = dict[str, Callable[[Endpoint], Awaitable[Any]]]
Play = Callable[[Runtime, str], Awaitable[object]]
"""Does what is measured, with a payload: ours over a runtime, ..."""

Plain = Callable[[PlainClient, str], Awaitable[object]]
"""... and the same with nats-py."""


async def against_plain(
    name: str, play: Play, plain: Plain, *, count: int, goal: float, unit: str
) -> list[Figure]:
    """How many of `count` things a second, in one process over one server: ours, with monitor and
    payload checks on, and plain nats-py, with 64 bytes and with 1 KiB."""
    figures = list[Figure]()
    async with (
        Server() as server,
        open_runtime(server.url) as runtime,
        plain_client(server.url) as client,
    ):
        for payload, size in ((PAYLOAD, "64 B"), (PAYLOAD * 16, "1 KiB")):

            async def ours_once(payload: str = payload) -> float:
                return await rate(count, play(runtime, payload))

            async def theirs_once(payload: str = payload) -> float:
                return await rate(count, plain(client, payload))

            ours, theirs = await medians(ours_once, theirs_once)
            figures.append(Figure(f"{name}, {size}", ours, theirs, ours / theirs, goal, unit))
    return figures


def main(figure: Callable[[], Awaitable[Figure]]) -> None:
    """Measure one figure and print it."""
    asyncio.run(_measured(figure)).show()


async def _measured(figure: Callable[[], Awaitable[Figure]]) -> Figure:
    return await figure()


Loop = Callable[[], asyncio.AbstractEventLoop]


def loops() -> dict[str, Loop]:
    """The event loops that there are: Python's own, and uvloop where it is installed."""
    found: dict[str, Loop] = {"asyncio": asyncio.new_event_loop}
    with suppress(ImportError):
        found["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return found


def main_on_loops(figures: Callable[[], Coroutine[Any, Any, list[Figure]]]) -> None:
    """Measure on each event loop, and print."""
    for name, loop in loops().items():
        with asyncio.Runner(loop_factory=loop) as runner:
            for figure in runner.run(figures()):
                replace(figure, name=f"{figure.name}, {name}").show()
