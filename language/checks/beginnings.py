"""Messages with which several branches of a choice begin, so that a receiver cannot tell them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import NamedTuple

from ..indices import Stretch, stretch
from ..machine import INDEX_LIMIT
from ..tree import At, Branch, Range, RoleRef
from .unfolding import First

EVERY: Stretch = (0, INDEX_LIMIT)


class Beginning(NamedTuple):
    """One receiver of a message that a branch begins with; `place` is that of the branch."""

    place: int
    branch: Branch
    first: First
    receiver: RoleRef

    @property
    def stretch(self) -> Stretch | None:
        """Who surely receives it; None where that hangs on a name."""
        if not isinstance(self.receiver.selector, At | Range):
            return EVERY
        found, sender = stretch(self.receiver, {}), self.first.sender
        if found is None or sender.role != self.receiver.role:
            return found
        return _without(found, stretch(sender, {}))


Pair = tuple[Beginning, Beginning]


def alike(branches: Collection[tuple[Branch, Collection[First]]]) -> Iterator[Pair]:
    """Two beginnings of different branches with one label, and with a receiver that is surely in
    both; for each that meets some, one pair."""
    labels = [first.send.message.label for _, firsts in branches for first in firsts]
    if len(set(labels)) == len(labels):
        return
    groups: dict[tuple[str, str], list[Beginning]] = {}
    for place, (branch, firsts) in enumerate(branches):
        for first in firsts:
            for receiver in first.receivers:
                key = (first.send.message.label, receiver.role)
                found = Beginning(place, branch, first, receiver)
                groups.setdefault(key, []).append(found)
    for group in groups.values():
        if group[0].place != group[-1].place:
            yield from chain(_meeting(group), _equal(group))


def _without(found: Stretch, sender: Stretch | None) -> Stretch:
    """Without the sender, if it is the first or the last: it does not send to itself."""
    start, stop = found
    own = -1 if sender is None else sender[0]
    return start + (own == start), stop - (own == stop - 1)


def _meeting(group: list[Beginning]) -> Iterator[Pair]:
    """In the order of their first instances each is held against the ones before that reach
    furthest: of any branch, and of any other than that one's."""
    known = [(at, one) for one in group if (at := one.stretch) is not None]
    known.sort(key=lambda pair: (pair[0][0], pair[1].place))
    far: list[tuple[int, Beginning]] = []
    for (start, stop), one in known:
        before = next(
            (other for end, other in far if other.place != one.place and end > start), None
        )
        if before is not None:
            yield _in_order(before, one)
        far = _furthest([*far, (stop, one)])


def _furthest(reaching: list[tuple[int, Beginning]]) -> list[tuple[int, Beginning]]:
    """Of two branches those that reach furthest."""
    found: dict[int, tuple[int, Beginning]] = {}
    for end, one in sorted(reaching, key=lambda pair: -pair[0]):
        found.setdefault(one.place, (end, one))
    return list(found.values())[:2]


def _equal(group: list[Beginning]) -> Iterator[Pair]:
    """Those whose receivers hang on a name, with ones that are written alike or that are to all."""
    whole = next((one for one in group if one.stretch == EVERY), None)
    seen: dict[RoleRef, Beginning] = {}
    for one in group:
        if one.stretch is not None:
            continue
        for other in (seen.setdefault(one.receiver, one), whole):
            if other is not None and other.place != one.place:
                yield _in_order(other, one)


def _in_order(one: Beginning, other: Beginning) -> Pair:
    return (one, other) if one.place <= other.place else (other, one)
