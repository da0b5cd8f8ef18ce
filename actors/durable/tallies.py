"""What the instances of a unit came to, and the records that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...broker.surroundings import now
from ..endpoint.seat import Seat
from .records import Done, Tallied

VALUES = 256 * 1024
"""Bytes of values in one record of a unit's end, about."""


def tallied(seat: Seat, value: bytes) -> Tallied:
    tally = seat.tally
    return Tallied(
        value, tally.sent, tally.received, tally.charged, list(tally.facts), list(tally.denials)
    )


def done(tallies: Mapping[int, Tallied]) -> Iterator[Done]:
    """The end of a unit, in records of a bounded size; in the last of them it is at its end."""
    part: dict[int, Tallied] = {}
    size = 0
    for index, one in tallies.items():
        if size + len(one.value) > VALUES and part:
            yield Done(part, last=False)
            part, size = {}, 0
        part[index] = one
        size += len(one.value) + 64
    yield Done(part, last=True, time=now())
