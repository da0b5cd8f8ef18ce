"""The short way of a message to whole families: checked and packed once, and put on all lanes.

`A ->* : M` is a send to one role after the other; where nothing can come between them, they are
taken as one step.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...broker.frame import Parts
from ...broker.payload import pack
from ...language.table import State, Step
from ..mailbox.outlet import Outlet
from .seat import Seat

SINGLES = 8
"""A range of up to so many instances gets single messages; a larger one, `all` with the range."""


def lanes(seat: Seat, step: Step) -> list[Outlet]:
    """The lanes on which a message of `step` goes out: none of one to all of a family of one from
    itself."""
    partners = step.partners(seat.role, seat.index)
    if not partners:
        return []
    if (step.collective and _is_whole(seat, step)) or len(partners) > SINGLES:
        return [seat.session.outlet(seat, step.peer_role, None)]
    return [seat.session.outlet(seat, step.peer_role, index) for index in partners]


def meant(seat: Seat, step: Step, outlet: Outlet) -> tuple[int, int] | None:
    """The range of instances that a message of `step` is for, where others hear `outlet` too."""
    if outlet.index is not None or _is_whole(seat, step):
        return None
    return step.start, step.stop


def _is_whole(seat: Seat, step: Step) -> bool:
    return (step.start, step.stop) == (0, seat.part.sizes.get(step.peer_role))


def rest(state: State, step: Step, told: Collection[str]) -> Step | None:
    """What `state` has left of the broadcast that `step` belongs to: its next send."""
    if not step.action.broadcast:
        return None
    for following in state.sends.get(step.label, ()):
        same = following.action.broadcast and following.action.step == step.action.step
        if same and following.peer_role not in told:
            return following
    return None


class Spread:
    """All sends of a broadcast, or one collective send, of one instance.

    `last` is the step after which they are done, and `copies` counts the receivers.
    """

    __slots__ = ("_label", "_lanes", "copies", "last", "move")

    def __init__(self, seat: Seat, steps: list[Step]) -> None:
        self.last = steps[-1]
        self.copies = sum(len(step.partners(seat.role, seat.index)) for step in steps)
        self.move = seat.part.moves[steps[0].number]
        self._label = steps[0].label
        self._lanes: list[tuple[Outlet, tuple[str, ...], Parts | None]] = []
        for step in steps:
            for outlet in lanes(seat, step):
                span = meant(seat, step, outlet)
                self._lanes.append((outlet, step.branches, Parts(*span) if span else None))

    @staticmethod
    def of(seat: Seat, step: Step) -> Spread | None:
        """The one that begins with `step`; None where there is more to do than to pack and put."""
        steps = _whole(step)
        moves = [seat.part.moves[one.number] for one in steps]
        if not steps or any(not m.bare or m.shape is not moves[0].shape for m in moves):
            return None
        spread = Spread(seat, steps)
        return spread if spread.copies else None

    @property
    def has_room(self) -> bool:
        for outlet, _, _ in self._lanes:
            if outlet.room <= 0:
                return False
        return True

    def put(self, raw: Any) -> None:
        """Put `raw`, packed, on all lanes, which have room. Raises `NotPackable` and `PayloadTooLarge`, and
        then nothing has happened."""
        payload = pack(raw)
        label = self._label
        for outlet, branches, parts in self._lanes:
            outlet.put(label, payload, branches, parts)


def _whole(first: Step) -> list[Step]:
    """`first` and what is left then of its broadcast, whose sends follow one another directly;
    `first` alone if it is collective by itself; else none."""
    if not first.action.broadcast:
        return [first] if first.collective else []
    steps, told = [first], {first.peer_role}
    while (following := rest(steps[-1].target, first, told)) is not None:
        steps.append(following)
        told.add(following.peer_role)
    return steps
