"""Who plays a unit: the marks on its fence, one for each time that it was taken or left.

Whoever has marked a fence last plays the unit, and what others store behind it is refused. A mark
is stored only next to the one that its writer has read, and never after that of somebody to whom
the queue has given the unit later: a worker that was cut off may be held up anywhere, and may go on
at any time.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from ...broker.contract import Broker, Fence, Record
from ...broker.errors import Fenced, WrongSequence
from ...broker.surroundings import now, unique
from . import records
from .assignment import Assignment
from .errors import Overtaken
from .records import Taken

Claim = tuple[int, int]
"""How often the unit was put on the queue, and how often the item was given out: who has the larger
one has been given the unit later."""


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes units: a name for people, and what the queue says, where there is one: how often
    it gave the unit out, and the number of the item."""

    name: str = ""
    claim: Claim | None = None
    item: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A unit that was taken: what is stored behind `fence` is its taker's."""

    taken: Taken
    fence: Fence


async def take(broker: Broker, unit: Assignment, taker: Taker) -> Hold:
    """Make the unit the taker's: from now on nothing of a worker before is stored.

    Raises `Overtaken` where it was given to another later. Without a claim, raises `Fenced` where
    another takes it at this very moment.
    """
    stream, subject = unit.place.stream, unit.place.fence(unit.role, unit.start)
    mine: Taken | None = None
    while True:
        last = await broker.last(stream, subject)
        before = _mark(last)
        if last is not None and mine is not None:
            if before == mine:
                return Hold(mine, Fence(subject, last.sequence))
            if taker.claim is None:
                raise Fenced(stream, subject, subject)
        mine = _next(unit, taker, before)
        try:
            sequence = await _append(broker, unit, mine, last.sequence if last is not None else 0)
        except WrongSequence:
            continue
        return Hold(mine, Fence(subject, sequence))


def _next(unit: Assignment, taker: Taker, before: Taken | None) -> Taken:
    before = before or Taken(0, unit.stop)
    known = (before.put, before.delivery)
    claim = taker.claim or known
    if claim < known:
        raise Overtaken(unit.session, unit.name)
    return Taken(
        before.incarnation + 1, unit.stop, taker.name, now(), *claim,
        yielded=before.yielded, item=taker.item,
    )  # fmt: skip


async def leave(broker: Broker, unit: Assignment, hold: Hold, *, yielding: bool) -> None:
    """Say that the unit is nobody's, unless it is somebody else's already."""
    with suppress(WrongSequence):
        yielded = hold.taken.yielded + yielding
        left = msgspec.structs.replace(hold.taken, time=now(), left=True, yielded=yielded)
        await _append(broker, unit, left, hold.fence.sequence)


async def is_held(broker: Broker, unit: Assignment, hold: Hold) -> bool:
    """Whether nobody has taken the unit since."""
    last = await broker.last(unit.place.stream, hold.fence.subject)
    return last is not None and last.sequence == hold.fence.sequence


async def check(broker: Broker, unit: Assignment, hold: Hold) -> None:
    """Raise `Fenced` where somebody has taken the unit since."""
    if not await is_held(broker, unit, hold):
        raise Fenced(unit.place.stream, hold.fence.subject, hold.fence.subject)


async def item_of(broker: Broker, unit: Assignment) -> int:
    """The number of the item that the unit was last taken with; 0 where it was without one."""
    mark = _mark(await broker.last(unit.place.stream, unit.place.fence(unit.role, unit.start)))
    return mark.item if mark is not None else 0


def lost(marks: Iterable[Taken]) -> int:
    """How often a unit was taken and not left: its worker died of it, or went silent, or has it."""
    return sum(-1 if mark.left else 1 for mark in marks)


def _mark(last: Record | None) -> Taken | None:
    word = records.unpack_word(last.payload) if last is not None else None
    return word if isinstance(word, Taken) else None


async def _append(broker: Broker, unit: Assignment, mark: Taken, expected: int) -> int:
    subject = unit.place.fence(unit.role, unit.start)
    return await broker.append(
        unit.place.stream,
        subject,
        records.pack(mark),
        message_id=f"{subject}.{mark.incarnation}.{unique(8)}",
        expected=expected,
    )
