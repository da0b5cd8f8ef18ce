"""The short ways of an endpoint: the lanes of the steps that need nothing but a check of the payload."""

from __future__ import annotations

import asyncio
from functools import partial

from ...effects.pipeline.series import Series
from ..mailbox.inlet import Inlet
from ..mailbox.outlet import Outlet
from ..part import Move
from .counted import Counted, begun
from .seat import Seat

Outlets = list[Outlet | Counted | None]
Inlets = list[Inlet | None]
"""By the number of the step; None where the step goes the long way."""


def are_open(seat: Seat) -> bool:
    """Whether nobody looks at each step of `seat`: no observer, codec, guard or clock."""
    watched = seat.observe is not None or seat.trace is not None
    return not (watched or seat.codec is not None or seat.part.guarded or seat.part.times)


def laid_out(seat: Seat, *, is_open: bool) -> tuple[Outlets, Inlets]:
    """The lanes of the plain steps, if they are open."""
    outlets: Outlets = [None] * len(seat.part.moves)
    inlets: Inlets = [None] * len(seat.part.moves)
    for move in seat.part.moves if is_open else ():
        if not move.plain:
            continue
        step = move.step
        index = step.partners(seat.role, seat.index)[0]
        if step.sends:
            outlets[step.number] = seat.session.outlet(seat, step.peer_role, index)
        else:
            inlets[step.number] = seat.mailbox.inlet(step.peer_role, index)
    return outlets, inlets


class SerialWays:
    """Those of serial steps, in the same lists: one that is sent has one while its series lasts, one
    that is received for the rest of the turn of the event loop in which its sender's right was seen."""

    __slots__ = ("_inlets", "_outlets", "_seat")

    def __init__(self, seat: Seat, outlets: Outlets, inlets: Inlets) -> None:
        self._seat = seat
        self._outlets = outlets
        self._inlets = inlets

    def begin_series(self, move: Move) -> None:
        """A serial step was sent, and the same may follow: what follows in this turn need only be
        counted."""
        found = begun(self._seat, move)
        if found is not None:
            self._outlets[move.number], series = found
            series.closing.append(partial(self._end_series, move.number))

    def _end_series(self, number: int, _: Series) -> None:
        self._outlets[number] = None

    def admit(self, move: Move) -> None:
        """A serial step was received: receive it the short way in this turn, in which nothing of its
        sender's right changes."""
        seat, step = self._seat, move.step
        index = step.partners(seat.role, seat.index)[0]
        inlet = seat.mailbox.inlet(step.peer_role, index)
        if inlet is not None and seat.session.pipeline.admits(step.action, seat.index):
            self._inlets[move.number] = inlet
            seat.mailbox.shown = self._look_again
            asyncio.get_running_loop().call_soon(self._end_turn, move.number)

    def _end_turn(self, number: int) -> None:
        self._inlets[number] = None

    def _look_again(self, inlet: Inlet) -> None:
        """A sender has shown another token."""
        for move in self._seat.part.moves:
            if move.serial and self._inlets[move.number] is inlet:
                self._inlets[move.number] = None
