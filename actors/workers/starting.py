"""What a runtime does to start durable sessions that workers play."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ...broker.contract import Broker
from ...broker.errors import StreamRefused
from ..cast import Cast
from ..choreography import Choreography
from ..durable.assignment import Assignment
from ..durable.handle import SessionHandle, is_over
from ..durable.history import History, read
from ..durable.hosting import Hosting
from ..durable.names import Place
from ..durable.records import Started
from .admission import Admission
from .blocks import blocks
from .queueing import enqueue
from .shelf import Shelf
from .versions import own_version


class Starting:
    """Owned by a runtime."""

    def __init__(self, broker: Broker, hosting: Hosting) -> None:
        self._broker = broker
        self._hosting = hosting
        self._shelf = Shelf(broker)

    async def start(
        self,
        cast: Cast,
        choreography: Choreography,
        session: str | None,
        given: Any,
        patience: float,
    ) -> SessionHandle:
        """As `Runtime.start`, with the cast prepared. What was started before and needs nobody any
        more is told of, whoever is there."""
        await self._shelf.put(choreography.compiled)
        admission = Admission(self._broker, self._shelf, choreography.compiled)
        before = await self._before(cast, session)
        topics = None if before else await admission.admit(cast.bindings, patience)
        shares = [(role, *share) for role, size in cast.sizes.items() for share in blocks(size)]
        new, units = await self._hosting.start(
            cast, session, given=given, devices=choreography.devices, blocks=shares
        )
        # What has been taken is on the queue, or has been; how long it knows that is bounded.
        taken = [False] * len(units) if new else await self._taken(units)
        waiting = [unit for unit, had in zip(units, taken, strict=True) if not had]
        if waiting and not (before and is_over(before)):
            await enqueue(
                self._broker, waiting, topics or await admission.admit(cast.bindings, patience)
            )
        return self._hosting.handle(units[0].place)

    async def own_version(self, written: Choreography, role: str, begun: Started) -> Choreography:
        """As `versions.own_version`, of a session that was started."""
        return await own_version(self._shelf, written, role, begun.fingerprint, begun.bindings)

    async def _before(self, cast: Cast, session: str | None) -> History | None:
        """What was said to a session of this name that was started before."""
        if session is None:
            return None
        place = Place(cast.namespace, cast.name, session)
        try:
            found = await read(self._broker, place, place.words)
        except StreamRefused:
            return None
        return found if found.started is not None else None

    async def _taken(self, units: Sequence[Assignment]) -> list[bool]:
        """Which of these somebody has taken already."""

        async def is_taken(unit: Assignment) -> bool:
            fence = unit.place.fence(unit.role, unit.start)
            return await self._broker.last(unit.place.stream, fence) is not None

        return await asyncio.gather(*map(is_taken, units))
