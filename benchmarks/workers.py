"""How long until ten thousand instances of a family run on four workers.

    python -m benchmarks.workers

From the call of `start` until the last instance's function is called, all its subscriptions and its
place in the log included; the workers are there already. Then until the session is over: ten
thousand messages to one role, one to all of them, and ten thousand ends that are stored.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import pavane
from benchmarks.measure import Figure
from pavane.actors.workers.roll import calling
from pavane.broker.embedded import Server

INSTANCES = 10_000
WORKERS = 4
RUNS = 3
LIMIT = 5.0
WHOLE = 15.0
SPACE = "benchmarks"

crowd = pavane.load(
    """#[namespace = "benchmarks"]
    protocol Crowd {
        roles: Leader, Members[N];
        Members[i] -> Leader: Present;
        Leader -> Members[*]: Thanks;
    }"""
)


@crowd.role("Leader")
async def leader(me: pavane.Endpoint) -> None:
    await me.receive("Present")
    await me.send("Thanks")


@crowd.role("Members")
async def member(me: pavane.Endpoint) -> float:
    now = time.time()
    await me.send("Present")
    await me.receive("Thanks")
    return now


async def begin(url: str, number: int) -> Process:
    options = ["--url", url, "--name", f"w{number}", "--capacity", str(INSTANCES)]
    command = (sys.executable, "-m", "pavane", "worker", str(Path(__file__).resolve()), *options)
    return await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)


async def once(runtime: pavane.Runtime) -> tuple[float, float]:
    """Seconds until the last instance began, and until all was over."""
    begun = time.time()
    handle = await runtime.start(crowd, bindings={"N": INSTANCES})
    outcome = await handle.wait(120)
    return max(outcome["Members"].values()) - begun, time.time() - begun


async def main() -> None:
    async with Server() as server, pavane.open(server.url) as runtime:
        workers = [await begin(server.url, number) for number in range(WORKERS)]
        try:
            async with calling(runtime.broker, SPACE) as roll:
                assert await roll.until(lambda present: len(present) == WORKERS, 60)
            times = [await once(runtime) for _ in range(RUNS + 1)][1:]
        finally:
            for process in workers:
                process.terminate()
                await process.wait()
    began = statistics.median(t[0] for t in times)
    over = statistics.median(t[1] for t in times)
    Figure("10 000 instances started", began, LIMIT, LIMIT / began, 1.0, "s, at most").show()
    Figure("10 000 instances to the end", over, WHOLE, WHOLE / over, 1.0, "s, at most").show()


if __name__ == "__main__":
    asyncio.run(main())
