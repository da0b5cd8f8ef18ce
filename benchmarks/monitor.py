"""The monitor alone: one step looked up and taken, in microseconds; the goal is 1."""

from __future__ import annotations

import statistics
import time

from pavane.language.compiler import compile_text
from pavane.language.monitor import Monitor
from pavane.language.table import Table

from .measure import RUNS, Figure, main
from .stream import TEXT

COUNT = 200_000
WANTED = 1.0


def once(table: Table) -> float:
    monitor = Monitor(table)
    begun = time.perf_counter()
    for _ in range(COUNT):
        step = monitor.sending("Item")
        assert step is not None
        monitor.advance(step)
    return (time.perf_counter() - begun) / COUNT * 1e6


async def figure() -> Figure:
    (compiled,) = compile_text(TEXT)
    table = Table(compiled.project({"N": COUNT}).machine("A"))
    ours = statistics.median(once(table) for _ in range(RUNS))
    return Figure("monitor step", ours, WANTED, WANTED / ours, 1.0, "us")


if __name__ == "__main__":
    main(figure)
