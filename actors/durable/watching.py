"""Warnings of a unit before its log is long and its mailboxes are full: looked at now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..endpoint.seat import Seat
from ..limits import NEAR, Limits
from ..mailbox.inlet import Inlet
from ..mailbox.mailbox import HIGH

HISTORY = 1_000_000
"""Messages and steps of a unit that the next worker can well read again. Nothing fails of more;
but it takes some 15 seconds, and 600 MB, until such a unit goes on elsewhere."""


class Watching:
    """Owned by the stage of a unit, which is called `name`. `steps` says how many steps of its log
    an instance has taken besides its messages."""

    def __init__(
        self, limits: Limits, name: str, seats: Iterable[Seat], steps: Callable[[int], int]
    ) -> None:
        self._limits = limits
        self._name = name
        self._seats = seats
        self._steps = steps
        self._lingering: set[Inlet] = set()

    def look(self) -> None:
        """Called about once a second."""
        length = 0
        full = set[Inlet]()
        for seat in self._seats:
            length += seat.tally.sent + seat.tally.received + self._steps(seat.index)
            for inlet in seat.mailbox.inlets.values():
                if inlet.unread > HIGH:
                    full.add(inlet)
                    # A burst alone fills it for a moment.
                    if inlet in self._lingering:
                        self._limits.mailbox(seat.name, inlet)
        self._lingering = full
        if length >= NEAR * HISTORY:
            self._limits.near("history", self._name, self._name, length, HISTORY)
