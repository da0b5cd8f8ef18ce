"""A worker that is stopped for longer than its lease, and goes on: nothing it then does counts."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.effects.journal.history.reading import History

from .conftest import Crew

ROUNDS = 30


async def pausing(crew: Crew, starter: pavane.Runtime, times: int) -> None:
    """Two workers; again and again the one that plays a session is stopped, until the other has
    ended it or has it well in hand, and let go on then."""
    rng = random.Random(times)
    talk = crew.load("Talk")
    for name in ("a", "b"):
        crew.start(name, lease=0.6, attempts=1000)
    await crew.until(starter, lambda found: len(found) == 2)
    takeovers = 0
    for _ in range(times):
        given = {"rounds": ROUNDS, "pause": 0.02}
        handle = await starter.start(talk, bindings={"rounds": ROUNDS}, input=given)
        await asyncio.sleep(rng.uniform(0.1, 0.5))
        busy = [w for w in await crew.until(starter, lambda p: len(p) == 2) if w.running]
        stopped = busy[0].pid if busy else crew.processes["a"].pid
        os.kill(stopped, signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(1.0, 1.6))
        os.kill(stopped, signal.SIGCONT)
        outcome = await handle.wait(30)
        assert outcome["Asker"] == outcome["Teller"]
        found = await audit(starter.broker, handle.place, History(starter.broker))
        assert found.faults == []
        assert found.charged == 8 * ROUNDS
        takeovers += found.takeovers
    assert takeovers > 0
    assert all(process.poll() is None for process in crew.processes.values()), crew.logs()


async def test_a57_a_worker_that_was_stopped_is_fenced(crew: Crew, starter: pavane.Runtime) -> None:
    await pausing(crew, starter, 2)


@pytest.mark.long
async def test_a57_workers_are_stopped_two_hundred_times(
    crew: Crew, starter: pavane.Runtime
) -> None:
    await pausing(crew, starter, 200)
