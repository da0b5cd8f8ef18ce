"""Annotated messages that only have to be counted: those of a series."""

from __future__ import annotations

from ...broker.errors import PayloadTooLarge
from ...effects.pipeline.series import Series
from ..mailbox.outlet import Outlet
from ..part import Move
from .seat import Seat

WORTH = 2
"""How many messages of a frame go one by one before a series is begun: where there is one only, it
would cost more than it saves."""


class Counted:
    """The lane of a serial step while its series lasts: to an endpoint it is as any other."""

    __slots__ = ("_outlet", "_series", "room")

    def __init__(self, outlet: Outlet, series: Series) -> None:
        self._outlet = outlet
        self._series = series
        self.room = min(series.most, outlet.room)

    def put(self, label: str, payload: bytes, branches: tuple[str, ...] = ()) -> None:
        """As that of the lane. Where its frame is full, that ends the series, which has this message."""
        self._series.sent += 1
        try:
            self._outlet.put(label, payload, branches)
        except PayloadTooLarge:
            self._series.sent -= 1
            raise
        self.room = self.room - 1 if self._outlet.room > 0 else 0


def begun(seat: Seat, move: Move) -> tuple[Counted, Series] | None:
    """A series of `move`, if messages of it follow each other in this turn and may go ahead."""
    assert move.plan is not None, "a serial send has a plan"
    if seat.ahead is None:
        return None
    outlet = seat.session.outlet(
        seat, move.step.peer_role, move.step.partners(seat.role, seat.index)[0]
    )
    if outlet.batch is None or len(outlet.batch) < WORTH:
        return None
    series = seat.ahead.series(seat.context, move.plan)
    if series is None:
        return None
    series.closing.append(lambda ended: _tally(seat, ended))
    return Counted(outlet, series), series


def _tally(seat: Seat, ended: Series) -> None:
    if ended.stored is None:
        return
    charged = (ended.charged,) if ended.charged is not None else ()
    amount = sum(one.amount for one in charged)
    seat.tally.count(amount, ended.facts * ended.sent, ended.receipt)
    seat.session.limits.charged(seat.role, charged)
