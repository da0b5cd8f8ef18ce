"""The lease of a namespace's queue, which all its workers have to keep.

The server knows one lease for all who take from a topic. A worker that signs less often than that
loses what it plays, so the lease is made longer whenever somebody asks for it, and shorter only
where nobody is there who reckons with the longer one. Nobody can be sure of that: who was stopped, or
cut off, does not answer. So every worker asks again what the lease is, whenever it takes something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from ...broker.contract import LEASE, Broker
from ...broker.errors import Forbidden
from . import places
from .roll import present

_log = logging.getLogger("pavane.workers")


async def agree(broker: Broker, namespace: str, wanted: float | None) -> float:
    """Make the queue, and say which lease holds; without a wish that of the workers that are
    there."""
    queue = places.queue(namespace)
    found = await broker.lease(queue)
    if found is not None and _is_others(found, wanted) and await _is_served(broker, namespace):
        # Who is there may have set it while we asked: as one does that was started with us.
        found = await broker.lease(queue)
        if found is not None and _is_others(found, wanted):
            _tell(namespace, found, wanted)
            return found
    chosen = LEASE if wanted is None else wanted
    await broker.ensure_queue(queue, lease=chosen)
    # Where the queue is the operator's, so is its lease.
    return await broker.lease(queue) or chosen


async def confirm(broker: Broker, namespace: str, wanted: float | None) -> float | None:
    """The lease that holds once all can see that we are there: whoever was started with us, and saw
    nobody, may have set a shorter one than we want."""
    queue = places.queue(namespace)
    found = await broker.lease(queue)
    if found is not None and wanted is not None and found < wanted:
        await broker.ensure_queue(queue, lease=wanted)
        found = await broker.lease(queue)
    return found


async def shortest(broker: Broker, namespaces: Iterable[str]) -> float | None:
    """The lease that the queues of these namespaces have at this moment; of several, the shortest.
    None where there is no queue."""
    found = await asyncio.gather(*(broker.lease(places.queue(name)) for name in namespaces))
    return min((lease for lease in found if lease is not None), default=None)


def _is_others(found: float, wanted: float | None) -> bool:
    """Whether a queue has a lease that is left as it is while anybody is there."""
    return found != LEASE if wanted is None else wanted < found


def _tell(namespace: str, found: float, wanted: float | None) -> None:
    if wanted is not None:
        _log.warning(
            "the workers of %s have a lease of %g s, which holds here too: with %g s what they"
            " play would be given away", namespace, found, wanted,
        )  # fmt: skip


async def _is_served(broker: Broker, namespace: str) -> bool:
    """Who may not see the others takes it that there are some."""
    with suppress(Forbidden):
        return bool(await present(broker, namespace))
    return True
