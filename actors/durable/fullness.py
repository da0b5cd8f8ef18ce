"""A look at how full the stream of sessions is, now and then, before it refuses a record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ...broker.contract import Broker
from ...broker.errors import BrokerError
from ..events import Event, LimitNear
from ..limits import NEAR
from ..log import record

PAUSE = 10.0
"""Seconds between two looks at one stream."""


class Fullness:
    """Owned by what starts sessions. `observe` gets the warnings, at most one for each look."""

    def __init__(self, broker: Broker) -> None:
        self.observe: Callable[[Event], None] | None = None
        self._broker = broker
        self._looked: dict[str, float] = {}

    async def look(self, stream: str, session: str) -> None:
        """Warn where four fifths of `stream` are used; says nothing where that is not for us to see."""
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(stream, -PAUSE) < PAUSE:
            return
        self._looked[stream] = now
        with suppress(BrokerError):
            room = await self._broker.room(stream)
            if room.share >= NEAR:
                near = LimitNear(session, "log", stream, "", room.used, room.allowed)
                record(near)
                if self.observe is not None:
                    self.observe(near)
