"""Sessions that are over are kept until somebody purges them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from ...broker.contract import Broker
from ...broker.errors import BadSubject, StreamRefused
from ...broker.subjects import parse
from ..durable import names, purging
from ..durable.records import Purged, Word, unpack_word
from . import places
from .overview import Summary, summaries


async def purge(broker: Broker, summary: Summary) -> int:
    """Remove the log of a session that is over, and its dead letters; how many records there were."""
    count = await purging.purge(broker, summary.place, summary.started)
    with suppress(StreamRefused):  # Where nothing has ever died there is no such stream.
        letters = places.dead_letters(summary.namespace, summary.session, summary.protocol)
        count += await broker.purge(places.dead(summary.namespace), letters)
    return count


async def ended(broker: Broker, namespace: str, seconds: float) -> list[Summary]:
    """The sessions that have been over for at least so long."""
    horizon = time.time() - seconds
    found = await summaries(broker, namespace)
    return [summary for summary in found if summary.is_over and summary.ended <= horizon]


async def sweep(broker: Broker, namespace: str) -> int:
    """Remove what is left of sessions that were purged: by a purge that was interrupted, or by
    workers who took a part of one from the queue. How many sessions that were."""
    # The marks of workers first: what they belong to was started, and perhaps purged, before.
    left = {place async for place, _ in _said(broker, namespace, names.fences_of_all(namespace))}
    purged: dict[names.Place, Purged] = {}
    async for place, word in _said(broker, namespace, names.words_of_all(namespace)):
        if isinstance(word, Purged):
            purged[place] = word
        else:
            left.add(place)
    gone = [place for place in purged if place in left]
    for place in gone:
        await purging.finish(broker, place, purged[place].roles)
    return len(gone)


async def _said(
    broker: Broker, namespace: str, pattern: str
) -> AsyncIterator[tuple[names.Place, Word]]:
    """The words on `pattern`, and of which session each is. The operator's among the fences are
    left out."""
    fences = pattern == names.fences_of_all(namespace)
    try:
        async for record in broker.read(names.stream(namespace), pattern):
            with suppress(BadSubject, msgspec.MsgspecError):
                route = parse(record.subject.rpartition(".")[0])
                if not (fences and route.role == names.NOBODY):
                    place = names.Place(namespace, route.protocol, route.session)
                    yield place, unpack_word(record.payload)
    except StreamRefused:
        return
