"""One account of one counter in this process: what it has drawn and used; see `leases`."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from ...broker.contract import Broker, Claim, Level
from ...broker.errors import EpochOver
from ...broker.level import LIMIT_MAX, checked, hold_of
from ...broker.surroundings import now as calendar

IDLE = 0.25
"""Seconds after which a lease that was not charged is given back."""

FRESH = 1.0
"""Seconds that a lease is used without asking the broker whether its epoch still runs."""

HURRY = 0.02
"""Seconds: charges that follow each other faster than this, `STREAK` times, are worth a lease."""

STREAK = 8
AHEAD_LIMIT = 1024
"""The most charges like the last that are drawn ahead."""

COOL = 1.0
"""Seconds without a lease after somebody has asked for what was held."""


class Lease:
    """One account of one counter in this process; see `Leases`.

    `used` is what the account has used in `epoch`, `drawn` what it may use. Between two awaits
    `used <= drawn` holds, and the counter has `drawn` among its spent.
    """

    __slots__ = (
        "_ahead",
        "_broker",
        "_cool_until",
        "_fresh_until",
        "_last",
        "_level",
        "_lock",
        "_owner",
        "_streak",
        "account",
        "counter",
        "drawn",
        "epoch",
        "held",
        "lasting",
        "open_charges",
        "take_over",
        "used",
    )

    def __init__(
        self, broker: Broker, counter: str, account: str, owner: str, *, lasting: bool = False
    ) -> None:
        self.counter = counter
        self.account = account
        self.used: int = 0
        self.drawn: int = 0
        self.epoch: int = 0
        self.held: bool = False
        self.lasting = lasting
        self.take_over = lasting
        self.open_charges = 0
        self._broker = broker
        self._owner = owner
        self._lock = asyncio.Lock()
        self._level: Level | None = None
        self._last = self._fresh_until = self._cool_until = 0.0
        self._streak = self._ahead = 0

    # charging ---------------------------------------------------------------------------

    def take(self, cost: int, now: float) -> Level | None:
        """Charge locally; None where the broker has to be asked. Raises `ValueError` for what is no
        amount: nobody else looks at what is charged locally."""
        if type(cost) is not int or cost < 0:
            cost = checked(cost)
        self._last = now
        if self._level is None or self.used + cost > self.drawn or now > self._fresh_until:
            return None
        self.used += cost
        self.open_charges += self.lasting
        return self._after()

    def take_many(self, cost: int, most: int, now: float) -> int:
        """Charge locally for as many as `most` messages at once: for how many, so many being drawn.
        They are one open charge; what is not needed of it is given back with `untake`."""
        if self._level is None or now > self._fresh_until:
            return 0
        many = min(most, (self.drawn - self.used) // cost)
        if many:
            self._last = now
            self.used += many * cost
            self.open_charges += self.lasting
        return many

    def untake(self, amount: int, epoch: int) -> None:
        """Undo a part of what was just taken, which nobody has been told of."""
        if epoch == self.epoch:
            self.used -= amount

    @property
    def level(self) -> Level:
        """The level after all that was charged here; something was."""
        return self._after()

    def _after(self) -> Level:
        """The level as this process knows it, without what it has drawn and not used."""
        assert self._level is not None, "what was reserved is known"
        return replace(self._level, spent=self._level.spent - (self.drawn - self.used))

    def only_stale(self, cost: int, now: float) -> bool:
        """Whether it has enough, and has not asked for long whether its epoch still runs."""
        return self.held and self.used + cost <= self.drawn and now > self._fresh_until

    def is_hot(self, now: float) -> bool:
        """Whether this charge should draw ahead. Asked once for each that is not local."""
        hurried = now - self._last < HURRY
        self._streak = self._streak + 1 if hurried else 0
        return self._streak >= STREAK and now > self._cool_until

    async def draw(self, cost: int, *, ahead: bool) -> Level:
        """Charge after drawing from the counter. Raises as `Broker.reserve`."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            level = self.take(cost, now)
            if level is not None:
                return level
            self._ahead = min(max(2 * self._ahead, STREAK), AHEAD_LIMIT) if ahead else 0
            await self._reserve(cost)
            self._fresh_until = now + min(FRESH, self._rest_of_window())
            self.used += cost
            self.open_charges += self.lasting
            return self._after()

    def _rest_of_window(self) -> float:
        """Seconds until the epoch is over by itself."""
        level = self._level
        return level.began + level.window - calendar() if level and level.window else FRESH

    async def _reserve(self, cost: int) -> None:
        ahead = min(self._ahead * cost, LIMIT_MAX)
        try:
            level = await self._claim(cost, ahead)
        except EpochOver as over:
            self.turn(over.epoch)
            level = await self._claim(cost, ahead)
        hold = hold_of(level, self.account)
        assert hold is not None, "a reservation leaves a hold"
        if hold.drawn < self.used + cost + ahead:
            # Near the limit there is nothing to be had ahead: others go first for a while.
            self._ahead, self._cool_until = 0, asyncio.get_running_loop().time() + COOL
        self._level, self.drawn, self.held, self.take_over = level, hold.drawn, True, False

    async def _claim(self, cost: int, ahead: int) -> Level:
        claim = Claim(self.account, self._owner, self.epoch, self.used, cost, ahead, self.take_over)
        return await self._broker.reserve(self.counter, claim)

    def turn(self, epoch: int) -> None:
        """Begin with nothing in another epoch."""
        if epoch != self.epoch:
            self.epoch, self.used, self.drawn, self.held, self._level = epoch, 0, 0, False, None
            # A stale owner may have been quicker to draw in this epoch.
            self.take_over = self.lasting

    # giving back ------------------------------------------------------------------------

    async def give_back(self, cost: int, epoch: int) -> None:
        """Undo a charge of this lease. One of a lasting account must be open: what it has drawn
        is given back by its owner only, with a release."""
        cost = checked(cost)
        async with self._lock:
            if epoch != self.epoch:
                return
            assert self.held or not self.lasting, "an open charge keeps its lease"
            if not self.held:
                await self._broker.give_back(self.counter, cost, epoch=epoch)
            self.used -= cost

    def settle(self) -> None:
        """One charge of a lasting account is stored elsewhere, or was given back."""
        self.open_charges -= self.lasting

    def is_idle(self, now: float) -> bool:
        return self.held and not self.open_charges and now - self._last >= IDLE

    def unused(self) -> int:
        return self.drawn - self.used if self.held else 0

    async def release(self, *, recalled: bool = False) -> None:
        """Give the rest back to the counter; the next charge draws anew."""
        if recalled:
            self._cool_until = asyncio.get_running_loop().time() + COOL
        self._fresh_until = 0.0
        async with self._lock:
            if not self.held or self.open_charges:
                return
            self.drawn, self.held, self._level = self.used, False, None
            self._ahead = 0
            await self._broker.release(
                self.counter, self.account, owner=self._owner, epoch=self.epoch, used=self.used
            )
