"""A worker's sign of life: on a beat, and at once when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from ...broker.contract import Broker, Deliver, Subscription
from ...broker.errors import BrokerError
from . import places
from .announcement import Announcement, encode

BEAT = 1.0
"""Seconds between two signs of life."""

SOON = 0.1
"""Seconds until a change is told, with all that come until then."""


class Beacon:
    """`tell(namespace)` is what is announced. Begin it with `open`, end it with `close`."""

    def __init__(
        self, broker: Broker, namespaces: Iterable[str], tell: Callable[[str], Announcement]
    ) -> None:
        self._broker = broker
        self._namespaces = tuple(dict.fromkeys(namespaces))
        self._tell = tell
        self._beating: asyncio.Task[None] | None = None
        self._subscriptions: list[Subscription] = []
        self._soon: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        for namespace in self._namespaces:
            subject, answer = places.asking(namespace), self._answer(namespace)
            self._subscriptions.append(await self._broker.subscribe(subject, answer))
        self._beating = asyncio.create_task(self._beat(), name="pavane-beacon")

    async def close(self) -> None:
        """Say what there is to be said a last time."""
        if self._beating is not None:
            self._beating.cancel()
        if self._soon is not None:
            self._soon.cancel()
        self.say()
        for subscription in self._subscriptions:
            await subscription.close()

    def changed(self) -> None:
        """There is something new to be said."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self._say_soon)

    def _say_soon(self) -> None:
        self._soon = None
        self.say()

    def say(self) -> None:
        """Announce to all; when the broker is not there, the next beat will."""
        for namespace in self._namespaces:
            self._say(namespace)

    def _answer(self, namespace: str) -> Deliver:
        return lambda _subject, _payload: self._say(namespace)

    def _say(self, namespace: str) -> None:
        announcement = self._tell(namespace)
        with suppress(BrokerError):
            self._broker.publish(places.worker(namespace, announcement.name), encode(announcement))

    async def _beat(self) -> None:
        while True:
            self.say()
            await asyncio.sleep(BEAT)
