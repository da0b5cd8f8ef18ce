"""Delivered messages a second in memory; the goal is 100 000."""

from __future__ import annotations

import statistics

import pavane

from .measure import RUNS, Figure, main, rate
from .stream import COUNT, TEXT, roles

WANTED = 100_000.0


async def figure() -> Figure:
    stream = pavane.load(TEXT).bind(N=COUNT)
    async with pavane.for_testing() as runtime:
        runs = [await rate(COUNT, runtime.run(stream, roles(COUNT))) for _ in range(RUNS)]
    ours = statistics.median(runs)
    return Figure("stream, memory", ours, WANTED, ours / WANTED, 1.0, "messages/s")


if __name__ == "__main__":
    main(figure)
