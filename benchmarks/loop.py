"""A loop of a million iterations against one of a thousand: time for each message."""

from __future__ import annotations

import statistics

import pavane

from .measure import Figure, main, medians, rate
from .stream import TEXT, roles

SHORT, LONG = 1_000, 1_000_000


async def figure() -> Figure:
    stream = pavane.load(TEXT)
    async with pavane.for_testing() as runtime:

        async def loop(count: int) -> float:
            work = runtime.run(stream, roles(count), bindings={"N": count})
            return 1e6 / await rate(count, work)

        async def shorts() -> float:
            return statistics.median([await loop(SHORT) for _ in range(100)])

        long, short = await medians(lambda: loop(LONG), shorts, runs=5)
    return Figure("loop, 1M to 1k", long, short, short / long, 0.9, "us/message")


if __name__ == "__main__":
    main(figure)
