"""How many instances a worker may play: so many in all, and always some of each role."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from .part import Part


class Place(Protocol):
    """What a unit takes of a worker's room."""

    @property
    def part(self) -> Part: ...
    @property
    def size(self) -> int: ...


class Room:
    """Of a worker with `capacity` that serves `parts`.

    A role that plays nothing keeps a place: else the units of one could take all of them, and
    wait for another for ever. So one unit of each role is taken whatever else is played. Units that
    rest take no place: else parents could keep their own children from being played.
    """

    def __init__(self, capacity: int, parts: Sequence[Part]) -> None:
        self.capacity = capacity
        self._parts = parts
        self._changed = asyncio.Event()
        self._short = asyncio.Event()
        self._waiting = 0
        self._spare: Sequence[Place] = ()

    @property
    def running(self) -> int:
        """The instances that are played now."""
        return sum(part.running for part in self._parts)

    def has(self, part: Part) -> bool:
        """Whether a unit of this part may be taken."""
        taken = sum(max(1, other.active) for other in self._parts)
        return not part.active or taken < self.capacity

    def spare(self, places: Sequence[Place]) -> None:
        """These units would be given up for others."""
        self._spare = places
        self._changed.set()

    def replaceable(self, part: Part) -> Place | None:
        """What might be given up for a unit of `part`: not the last of another role."""
        for place in self._spare:
            if place.part is part or place.part.active > place.size:
                return place
        return None

    def take(self, part: Part, places: int) -> None:
        part.running += places

    def rest(self, part: Part, places: int) -> None:
        """So many more rest; fewer, with a number below 0."""
        part.resting += places
        self._changed.set()

    def give(self, part: Part, places: int) -> None:
        part.running -= places
        self._changed.set()

    async def wait(self, part: Part) -> None:
        """Wait until a unit of this part may be taken, or another would be given up for it."""
        while not self.has(part) and self.replaceable(part) is None:
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
