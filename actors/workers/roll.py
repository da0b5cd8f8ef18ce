"""Who is there: the workers that answer when they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from ...broker.contract import Broker
from ...broker.errors import FrameError
from . import places
from .announcement import Announcement, decode
from .beacon import BEAT

ANSWER = 0.3
"""Seconds in which a worker that is well answers."""

Key = tuple[str, str, str, int]

Present = Mapping[Key, Announcement]
"""By namespace, name, host and process of the worker: two may have been given one name."""


class Roll:
    """Kept for as long as its block; whoever has been silent for some beats is struck off."""

    def __init__(self) -> None:
        self._heard: dict[Key, tuple[float, Announcement]] = {}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def note(self, subject: str, data: bytes) -> None:
        try:
            said = decode(data)
        except FrameError:
            return
        if subject != places.worker(said.namespace, said.name):
            # Nobody speaks for another.
            return
        key = (said.namespace, said.name, said.host, said.pid)
        if said.leaving and not said.running:
            self._heard.pop(key, None)
        else:
            self._heard[key] = (self._loop.time(), said)
        self._changed.set()

    @property
    def present(self) -> Present:
        horizon = self._loop.time() - 3 * BEAT
        return {key: said for key, (when, said) in self._heard.items() if when >= horizon}

    async def until(self, enough: Callable[[Present], bool], seconds: float) -> bool:
        """Wait until `enough` is true of those present; False after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not enough(self.present):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def calling(broker: Broker, namespace: str | None = None) -> AsyncGenerator[Roll]:
    """A roll of the workers of a namespace, who are asked at once, or of all namespaces, whose
    next beat has to be waited for."""
    roll = Roll()
    pattern = places.any_worker() if namespace is None else places.worker(namespace, "*")
    subscription = await broker.subscribe(pattern, roll.note)
    try:
        if namespace is not None:
            broker.publish(places.asking(namespace), b"")
        yield roll
    finally:
        await subscription.close()


async def present(broker: Broker, namespace: str | None = None) -> list[Announcement]:
    """The workers that are there, by namespace and name."""
    async with calling(broker, namespace) as roll:
        await asyncio.sleep(ANSWER if namespace is not None else BEAT * 1.2)
        return [roll.present[key] for key in sorted(roll.present)]
