"""Units put on the queue, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ...broker.contract import Broker
from ..durable.assignment import Assignment
from . import places

AT_ONCE = 256
"""How many are handed over together."""


async def enqueue(
    broker: Broker, units: Sequence[Assignment], topics: Mapping[str, str] | None = None
) -> None:
    """Put each unit under its role's topic, or under that of its own version; once, however often
    it is called within the time that the queue remembers."""
    for namespace in {unit.namespace for unit in units}:
        await broker.ensure_queue(places.queue(namespace))
    for start in range(0, len(units), AT_ONCE):
        batch = units[start : start + AT_ONCE]
        await asyncio.gather(*(_put(broker, unit, topics or {}) for unit in batch))


async def _put(broker: Broker, unit: Assignment, topics: Mapping[str, str]) -> None:
    identity = f"{unit.protocol}.{unit.session}.{unit.role}.{unit.start}.{unit.attempt}"
    topic = topics.get(unit.role, unit.topic)
    await broker.put(places.queue(unit.namespace), unit.pack(), topic=topic, message_id=identity)
