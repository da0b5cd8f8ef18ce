"""How many instances a worker may play: so many in all, and always some of each role."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .part import Part


class Room:
    """Of a worker with `capacity` that serves `parts`.

    A role that plays nothing keeps a place: else the units of one could take all of them, and
    wait for another for ever. So one unit of each role is taken whatever else is played. `spare`
    are places beyond the capacity that somebody is ready to make.
    """

    def __init__(self, capacity: int, parts: Sequence[Part]) -> None:
        self.capacity = capacity
        self._parts = parts
        self._changed = asyncio.Event()
        self._short = asyncio.Event()
        self._waiting = 0
        self._spare = 0

    @property
    def running(self) -> int:
        """The instances that are played now."""
        return sum(part.running for part in self._parts)

    @property
    def spare(self) -> int:
        return self._spare

    @spare.setter
    def spare(self, places: int) -> None:
        self._spare = places
        self._changed.set()

    def has(self, part: Part, *, spare: int = 0) -> bool:
        """Whether a unit of this part may be taken."""
        kept = sum(not other.running for other in self._parts)
        return not part.running or self.running + kept < self.capacity + spare

    def take(self, part: Part, places: int) -> None:
        part.running += places

    def give(self, part: Part, places: int) -> None:
        part.running -= places
        self._changed.set()

    async def wait(self, part: Part) -> None:
        """Wait until a unit of this part may be taken, with the spare places."""
        while not self.has(part, spare=self._spare):
            self._changed.clear()
            self._waiting += 1
            self._short.set()
            try:
                await self._changed.wait()
            finally:
                self._waiting -= 1

    async def until_short(self) -> None:
        """Wait until somebody waits for room."""
        while not self._waiting:
            self._short.clear()
            await self._short.wait()

    async def until_empty(self) -> None:
        while self.running:
            self._changed.clear()
            await self._changed.wait()
