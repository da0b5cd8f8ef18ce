"""Places made for others by units that cannot go on.

A unit that waits for one that nobody plays holds a place for nothing; where all workers are full of
such units, of which each waits for one that finds no place, nothing would ever go on again. So a
full worker looks for units that have waited for a while, asks whether those that they wait for are
played anywhere, and lets some of the others have their places: the unit goes back to the queue
and is played on, from its log, when its turn comes again.

It does so only when there is something else to be played, and gives up about half of them, as chance
will have it: two workers that are full of each other's peers would else go on exchanging them,
in step.

A unit that waits for the end of a session that workers play, or for one that does, keeps what it has and takes
no place while that lasts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection

from .job import Job
from .part import Part
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
        self._spare: list[Job] = []
        self._resting: set[Job] = set()

    async def run(self) -> None:
        while True:
            if not self._resting:
                await self._room.until_short()
            await asyncio.sleep(LOOK)
            for job in [job for job in self._resting if not job.is_stuck]:
                self.wake(job)
            alone = await self._look()
            self._spare = [job for job in self._spare if job.is_stuck] or _half(alone)
            self._room.spare(self._spare)

    async def _look(self) -> list[Job]:
        """Let those rest that wait for other sessions; who waits for what nobody plays."""
        stuck = [job for job in self._jobs() if job.is_stuck]
        asked = random.sample(stuck, min(AT_ONCE, len(stuck)))
        lacks = dict(zip(asked, await asyncio.gather(*(job.lacks() for job in asked)), strict=True))
        for job, lack in lacks.items():
            if lack in ("rests", "waits") and job not in self._resting and job in self._jobs():
                self._resting.add(job)
                self._room.rest(job.part, job.size)
        return [job for job, lack in lacks.items() if lack == "alone"]

    def wake(self, job: Job) -> None:
        """It goes on, or is over."""
        if job in self._resting:
            self._resting.remove(job)
            self._room.rest(job.part, -job.size)

    async def make_way(self, part: Part) -> bool:
        """Give up a unit for one of `part` that is there; False where none can be given up."""
        while (place := self._room.replaceable(part)) is not None:
            job = next(job for job in self._spare if job is place)
            self._spare.remove(job)
            if job.is_stuck:
                await job.park()
                return True
        return False


def _half(jobs: list[Job]) -> list[Job]:
    """The odd one as a coin falls."""
    return jobs[: (len(jobs) + random.getrandbits(1)) // 2]
