"""The log of a session that is over, removed.

What stays is one record that says so: whoever begins the session once more, perhaps because he
has not heard that it ever ended, is not to play it once more. It is written after the roles' part of
the log has gone, and before the words to the session go: so that a purge that is interrupted leaves
a session that either says what it came to, or that it is purged.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...broker.contract import Broker
from ...broker.surroundings import now
from . import records
from .names import Place
from .records import Purged, Started


async def purge(broker: Broker, place: Place, begun: Started) -> int:
    """How many records there were."""
    roles = list(dict.fromkeys(role for role, _, _ in begun.blocks))
    count = await _remove(broker, place, (place.mailbox(role) for role in roles))
    word = records.pack(Purged(roles, now()))
    await broker.append(place.stream, place.operator, word, message_id=f"{place.operator}.purged")
    return count + await finish(broker, place, roles)


async def finish(broker: Broker, place: Place, roles: Iterable[str]) -> int:
    """Remove whatever there is besides the mark: what a purge that was interrupted has left, and
    what workers have written who took a part of the session from the queue."""
    patterns = [p for role in roles for p in (place.mailbox(role), place.words_of(role))]
    count = await _remove(broker, place, patterns)
    return count + await broker.purge(place.stream, place.operator, keep=1)


async def _remove(broker: Broker, place: Place, patterns: Iterable[str]) -> int:
    return sum([await broker.purge(place.stream, pattern) for pattern in patterns])
