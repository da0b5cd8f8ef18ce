"""Memory that a loop of a million iterations takes beyond one of ten thousand; the goal is to stay
within 2 MiB."""

from __future__ import annotations

import resource

import pavane

from .measure import Figure, main
from .stream import TEXT, roles

WANTED = 2.0


async def figure() -> Figure:
    stream = pavane.load(TEXT)
    async with pavane.for_testing() as runtime:
        peaks: list[float] = []
        for count in (10_000, 1_000_000):
            await runtime.run(stream, roles(count), bindings={"N": count})
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    grown = max(peaks[1] - peaks[0], 0.01)
    return Figure("growth, loop of 1M", grown, WANTED, WANTED / grown, 1.0, "MiB")


if __name__ == "__main__":
    main(figure)
