"""Durable steps of one session, one after the other, against a DBOS workflow on SQLite and a
Restate handler: each stores what a call of a local function returned before the next is made.

    python -m benchmarks.steps

A peer that cannot be installed here is left out, and the reason is on stderr.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from subprocess import CalledProcessError

import pavane
from benchmarks.measure import Figure
from benchmarks.peers import Unavailable, dbos_rate, restate_rate

STEPS = 3000
PEER_STEPS = 1000
RUNS = 3
GOAL = 5.0
LEAST = 3000.0

protocol = pavane.load("protocol Steps { roles: Worker, Witness; Worker -> Witness: Finished }")


async def step(number: int) -> int:
    return number + 1


@protocol.role("Worker")
async def worker(me: pavane.Endpoint) -> float:
    number = 0
    begun = time.perf_counter()
    for _ in range(STEPS):
        number = await me.run(step, number)
    seconds = time.perf_counter() - begun
    assert number == STEPS
    await me.send("Finished")
    return STEPS / seconds


@protocol.role("Witness")
async def witness(me: pavane.Endpoint) -> None:
    await me.receive("Finished")


async def ours() -> float:
    async with pavane.open() as runtime:
        return float((await runtime.run(protocol, durable=True))["Worker"])


def main() -> None:
    peers: dict[str, Callable[[int], float]] = {"Restate": restate_rate, "DBOS": dbos_rate}
    own: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(RUNS):
        own.append(asyncio.run(ours()))
        for name, measured in list(peers.items()):
            try:
                theirs[name].append(measured(PEER_STEPS))
            except (Unavailable, CalledProcessError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                del peers[name]
    rate = statistics.median(own)
    Figure("durable steps", rate, LEAST, rate / LEAST, 1.0, "/s, at least").show()
    for name, rates in theirs.items():
        if rates:
            peer = statistics.median(rates)
            Figure(f"durable steps: {name}", rate, peer, rate / peer, GOAL, "/s").show()


if __name__ == "__main__":
    main()
