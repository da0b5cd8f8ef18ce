"""The lease of a namespace's queue, which all its workers have to keep.

The server knows one lease for all who take from a topic. A worker that signs less often than that
loses what it plays, so the lease is made longer whenever somebody asks for it, and shorter only
where nobody is there who reckons with the longer one.
"""

from __future__ import annotations

import logging
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
    chosen = LEASE if wanted is None else wanted
    unasked = wanted is None and found != chosen
    if found is not None and (unasked or chosen < found) and await _is_served(broker, namespace):
        if not unasked:
            _log.warning(
                "the workers of %s have a lease of %g s, which holds here too: with %g s what they"
                " play would be given away", namespace, found, chosen,
            )  # fmt: skip
        return found
    await broker.ensure_queue(queue, lease=chosen)
    # Where the queue is the operator's, so is its lease.
    return await broker.lease(queue) or chosen


async def _is_served(broker: Broker, namespace: str) -> bool:
    """Who may not see the others takes it that there are some."""
    with suppress(Forbidden):
        return bool(await present(broker, namespace))
    return True
