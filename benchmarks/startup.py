"""`import pavane` with what a live session needs, in a new interpreter, less what an empty one
takes; and the embedded server from nothing to ready; each against the time it may take."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

from pavane.broker.embedded import Server

from .measure import Figure

RUNS = 9
IMPORT = 250.0
LIVE = "import pavane; pavane.load, pavane.open, pavane.Endpoint, pavane.Outcome, pavane.Received"
"""What a program with a live session uses: names of the face are loaded at their first use."""
READY = 1000.0


def interpreter(code: str) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - begun) * 1e3


async def ready() -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    async with Server():
        return (time.perf_counter() - begun) * 1e3


def figures() -> list[Figure]:
    interpreter(LIVE)  # compiles what is not yet
    pairs = [(interpreter(LIVE), interpreter("pass")) for _ in range(RUNS)]
    importing = statistics.median(full - empty for full, empty in pairs)
    starting = statistics.median(asyncio.run(ready()) for _ in range(RUNS))
    unit = "ms, of those allowed"
    return [
        Figure("import pavane", importing, IMPORT, IMPORT / importing, 1.0, unit),
        Figure("embedded server ready", starting, READY, READY / starting, 1.0, unit),
    ]


if __name__ == "__main__":
    for figure in figures():
        figure.show()
