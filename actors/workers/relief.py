"""Places made for others by units that cannot go on.

A unit that waits for one that nobody plays holds a place for nothing; where all workers are full of
such units, of which each waits for one that finds no place, nothing would ever go on again. So a
full worker looks for units that have waited for a while, asks whether those that they wait for are
played anywhere, and lets some of the others have their places: the unit goes back to the queue
and is played on, from its log, when its turn comes again.

It does so only when there is something else to be played, and gives up the units of the sessions
that began last, about half of them: two workers that are full of each other's peers would else go
on exchanging them, in step.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence

from .job import Job
from .room import Room

LOOK = 0.5
"""Seconds between two looks of a worker that is full."""

AT_ONCE = 64
"""How many units are looked at together."""


class Relief:
    """Owned by a worker; `run` it as a task. `jobs` are what it plays."""

    def __init__(self, room: Room, jobs: Callable[[], Collection[Job]]) -> None:
        self._room = room
        self._jobs = jobs
        self._stuck: list[Job] = []

    async def run(self) -> None:
        while True:
            await self._room.until_short()
            await asyncio.sleep(LOOK)
            self._stuck = [job for job in self._stuck if job.is_stuck]
            if not self._stuck:
                self._stuck = _some(await _stuck(self._jobs()))
            self._room.spare = sum(job.size for job in self._stuck)

    async def make_way(self) -> bool:
        """Give up a unit for another that is there; False where none can be given up any more."""
        while self._stuck:
            job = self._stuck.pop(0)
            self._room.spare -= job.size
            if job.is_stuck:
                await job.park()
                return True
        return False


async def _stuck(jobs: Collection[Job]) -> list[Job]:
    """Those that wait for what nobody plays, the youngest sessions first."""
    waiting = sorted((job for job in jobs if job.is_stuck), key=lambda job: job.age, reverse=True)
    asked = waiting[:AT_ONCE]
    lacking = await asyncio.gather(*(job.lacks_peers() for job in asked))
    return [job for job, lacks in zip(asked, lacking, strict=True) if lacks]


def _some(jobs: Sequence[Job]) -> list[Job]:
    """The first half; the odd one as a coin falls."""
    return list(jobs[: (len(jobs) + random.getrandbits(1)) // 2])
