"""Reading from the log what did not come by itself.

What is published comes as it is published; the log is read after a gap, after the connection was
gone, and now and then while somebody waits: for a message that he has no way to know of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...broker.contract import Broker
from ...broker.errors import BrokerError
from ..endpoint.seat import Seat
from .history import read
from .lanes import DurableMailbox, DurableOutlet
from .names import Place
from .records import Cancelled, Failed
from .stage import Stage

FIRST = 1.0
"""Seconds that somebody has waited when the log is looked at first; then twice as long, and so on."""

LONGEST = 30.0

PAUSE = 0.5
"""Seconds until it is tried again where the broker is gone."""

SOON = 0.002
"""Seconds until what has been heard, and is not stored yet, is looked for in the log again; then twice as long, and so on."""

CREDIT = 0.25
"""Seconds after which credit that did not come is asked for."""


class Catching:
    """Owned by a unit; `cancel` it at the end. `known` is the last sequence of what its role has
    heard that was read. `over` is called with the word that has ended the session, which may not
    have come by itself either."""

    def __init__(
        self,
        broker: Broker,
        place: Place,
        role: str,
        stage: Stage,
        known: int,
        over: Callable[[Failed | Cancelled], None],
    ) -> None:
        self._broker = broker
        self._place = place
        self._pattern = place.heard(role)
        self._stage = stage
        self._known = known
        self._known_words = 0
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Task[None] | None = None
        self._again = False
        self._progress = -1
        self._wait = FIRST
        self._idle = 0.0
        self._timer = self._loop.call_later(CREDIT, self._look)

    def begin(self) -> None:
        """Something is missing, or may be."""
        self._again = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._catch_up(), name="pavane-catching-up")

    async def _catch_up(self) -> None:
        pause = SOON
        while self._again:
            self._again = False
            try:
                history = await read(self._broker, self._place, self._pattern, self._known + 1)
                await self._read_words()
            except BrokerError:
                self._again = True
                await asyncio.sleep(PAUSE)
                continue
            self._known = max(self._known, history.end)
            self._stage.feed(history)
            if not self._again and any(map(_is_behind, self._stage.seats.values())):
                # It was heard before it was stored.
                self._again = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE)

    async def _read_words(self) -> None:
        """What was said to the session as a whole: that it is over, if it is."""
        start = self._known_words + 1
        words = await read(self._broker, self._place, self._place.words, start)
        self._known_words = max(self._known_words, words.end)
        ended = words.failed or words.cancelled
        if ended is not None:
            self._over(ended)

    def _look(self) -> None:
        """Every now and then: has somebody waited for long, and nothing come?"""
        self._timer = self._loop.call_later(self._pace(), self._look)
        self._stage.ask_again()
        self._stage.watching.look()

    def _pace(self) -> float:
        progress = sum(_progress(seat.mailbox) for seat in self._stage.seats.values())
        waits = any(_waits(seat.mailbox) for seat in self._stage.seats.values())
        if not waits or progress != self._progress:
            self._progress, self._wait, self._idle = progress, FIRST, 0.0
            return CREDIT if self._is_short() else FIRST
        self._idle += CREDIT if self._is_short() else self._wait
        if self._idle >= self._wait:
            self._idle = 0.0
            self._wait = min(2 * self._wait, LONGEST)
            self.begin()
        return CREDIT if self._is_short() else self._wait

    def _is_short(self) -> bool:
        """Whether somebody waits for credit."""
        return any(
            isinstance(outlet, DurableOutlet) and outlet.is_waited_for
            for seat in self._stage.seats.values()
            for outlet in seat.outbox.outlets.values()
        )

    def cancel(self) -> None:
        self._timer.cancel()
        if self._reading is not None:
            self._reading.cancel()


def _waits(mailbox: object) -> bool:
    return isinstance(mailbox, DurableMailbox) and mailbox.is_waited_for


def _is_behind(seat: Seat) -> bool:
    return isinstance(seat.mailbox, DurableMailbox) and seat.mailbox.is_behind


def _progress(mailbox: object) -> int:
    return mailbox.progress() if isinstance(mailbox, DurableMailbox) else 0
