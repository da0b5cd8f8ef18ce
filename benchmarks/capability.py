"""Looking up a capability of a token that was verified before; 2 us are allowed."""

from __future__ import annotations

import statistics
import time

from pavane.effects.capability.tokens import Authority
from pavane.effects.capability.verifier import Verifier
from pavane.effects.identity import Identity

from .measure import RUNS, Figure, main

COUNT = 200_000
ALLOWED = 2.0


async def figure() -> Figure:
    authority, holder = Authority(), Identity("bench", "Guarded", "s1", "Admin")
    token = authority.issue(holder, ["rule", "other"], time.time() + 3600)
    verifier = Verifier(authority.public)
    runs: list[float] = []
    for _ in range(RUNS):
        begun = time.thread_time()
        for _ in range(COUNT):
            verifier.require(holder, token, "rule")
        runs.append((time.thread_time() - begun) / COUNT * 1e6)
    ours = statistics.median(runs)
    return Figure("capability, cached", ours, ALLOWED, ALLOWED / ours, 1.0, "us, of those allowed")


if __name__ == "__main__":
    main(figure)
