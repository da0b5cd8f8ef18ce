"""Leases: units drawn from a shared budget ahead of need, so that a charge is usually local.

A budget that a process charges now and then is charged on the broker. One that it charges often
has a lease: an account of this process on the counter, which draws ahead more and more, and gives
back what is left after `IDLE` seconds without a charge. What is drawn counts as spent for
everybody, so a budget is never overspent; and nobody is refused while others hold what they
have not used: who finds the budget exhausted asks for it back first.

The lease of a process that was killed is lost until the next epoch: at most one part in 16 of what
was left when it was drawn, as that is the most that is drawn ahead.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from time import time
from typing import TypeVar

from ..broker.contract import Broker, Claim, Hold, Level, Subscription
from ..broker.errors import BrokerError, EpochOver, LimitExceeded
from ..broker.level import hold_of

IDLE = 0.25
"""Seconds after which a lease that was not charged is given back."""

FRESH = 1.0
"""Seconds that a lease is used without asking the broker whether its epoch still runs."""

HURRY = 0.02
"""Seconds: charges that follow each other faster than this, `STREAK` times, are worth a lease."""

STREAK = 8
AHEAD_LIMIT = 1024
"""The most charges like the last that are drawn ahead."""

PATIENCE = 1.0
"""Seconds that others get to give back what they hold, when a charge would be refused."""

COOL = 1.0
"""Seconds without a lease after somebody has asked for what was held."""

T = TypeVar("T")


def notices(counter: str) -> str:
    """The subject on which processes ask each other for what they hold of a counter."""
    return f"leases.{counter}"


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
        """Charge locally; None where the broker has to be asked."""
        self._last = now
        if self._level is None or self.used + cost > self.drawn or now > self._fresh_until:
            return None
        self.used += cost
        self.open_charges += self.lasting
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
        return level.began + level.window - time() if level and level.window else FRESH

    async def _reserve(self, cost: int) -> None:
        ahead = self._ahead * cost
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

    # giving back ------------------------------------------------------------------------

    async def give_back(self, cost: int, epoch: int) -> None:
        """Undo a charge of this lease."""
        async with self._lock:
            if epoch != self.epoch:
                return
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


class Leases:
    """The leases of one process on one broker; `close` gives them all back. Without `ahead`
    nothing is drawn ahead here.

    A lasting account is not of the process but of whoever it is named after: another process
    that opens it with what is known to be used goes on where this one was.
    """

    def __init__(self, broker: Broker, *, ahead: bool = True) -> None:
        self._broker = broker
        self._ahead = ahead
        self._owner = secrets.token_hex(8)
        self._leases: dict[tuple[str, str], Lease] = {}
        self._stuck: dict[str, frozenset[Hold]] = {}
        self._recalls: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._listening: dict[str, asyncio.Task[Subscription]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def opened(self, counter: str, account: str = "") -> Lease:
        """That of this process, or of an account that was opened."""
        if not account:
            return self.account(counter, self._owner)
        lease = self._leases.get((counter, account))
        assert lease is not None, f"the account {account} is not open"
        return lease

    def account(
        self, counter: str, account: str, *, used: int = 0, epoch: int = 0, lasting: bool = False
    ) -> Lease:
        """An account by name; `used` in `epoch` is what a new one begins with."""
        lease = self._leases.get((counter, account))
        if lease is None:
            lease = Lease(self._broker, counter, account, self._owner, lasting=lasting)
            lease.epoch, lease.used, lease.drawn = epoch, used, used
            self._leases[counter, account] = lease
        return lease

    def unused(self, counter: str, epoch: int) -> int:
        """What this process holds of a counter and has not used."""
        mine = (lease for (name, _), lease in self._leases.items() if name == counter)
        return sum(lease.unused() for lease in mine if lease.epoch == epoch)

    async def charge(self, lease: Lease, cost: int) -> tuple[Level, bool]:
        """The level after a charge, and whether the lease has it. Raises `LimitExceeded` where all
        that is drawn is used, or held by a process that does not answer; `UnknownCounter`."""
        try:
            if not self._ahead and not lease.lasting:
                return await self._broker.spend(lease.counter, cost), False
            now = asyncio.get_running_loop().time()
            hot = self._ahead and lease.is_hot(now)
            level = lease.take(cost, now)
            if level is not None:
                return level, True
            return await self._charge(lease, cost, hot)
        except LimitExceeded:
            return await self.insist(lambda: self._charge(lease, cost, False), lease.counter)

    async def _charge(self, lease: Lease, cost: int, hot: bool) -> tuple[Level, bool]:
        now = asyncio.get_running_loop().time()
        if not (hot or lease.lasting or lease.only_stale(cost, now)):
            return await self._broker.spend(lease.counter, cost), False
        await self._listen(lease.counter)
        level = await lease.draw(cost, ahead=hot)
        self._watch()
        return level, True

    # what others hold ---------------------------------------------------------------------

    async def insist(self, charge: Callable[[], Awaitable[T]], counter: str) -> T:
        """Charge once more whenever others may have given something back."""
        while True:
            level = await self._broker.level(counter)
            held = self._drawn_ahead(counter, level)
            if held:
                await self.recall(counter)
            try:
                return await charge()
            except LimitExceeded:
                if not held:
                    raise

    def _drawn_ahead(self, counter: str, level: Level | None) -> frozenset[Hold]:
        """Holds that were drawn ahead, but those nobody has answered for."""
        held = frozenset(h for h in (level.held if level else ()) if h.drawn > h.used)
        return held - self._stuck.get(counter, frozenset())

    async def recall(self, counter: str) -> None:
        """Have all processes give back what they hold of `counter`; returns when it is back, or
        after `PATIENCE` seconds. Callers at the same time share one recall."""
        task = self._recalls.get(counter)
        if task is None:
            task = self._recalls[counter] = asyncio.create_task(self._recall(counter))
            task.add_done_callback(lambda _: self._recalls.pop(counter, None))
        await asyncio.shield(task)

    async def _recall(self, counter: str) -> None:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PATIENCE, 0.002
        self.notify(counter)
        await self._give_up(counter)
        while True:
            level = await self._broker.level(counter)
            left = self._drawn_ahead(counter, level)
            if not left:
                return
            if loop.time() > deadline:
                self._stuck[counter] = frozenset(level.held if level else ())
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)

    async def _listen(self, counter: str) -> None:
        """Hear when others need what is held here. Subscribed before anything is drawn."""
        listening = self._listening.get(counter)
        if listening is None or (listening.done() and listening.exception()):
            subscribing = self._broker.subscribe(notices(counter), self._heard)
            listening = self._listening[counter] = asyncio.create_task(subscribing)
        await asyncio.shield(listening)

    def notify(self, counter: str) -> None:
        """Have all processes ask the broker before they charge `counter` again."""
        self._broker.publish(notices(counter), b"")

    def _heard(self, subject: str, payload: bytes) -> None:
        task = asyncio.create_task(self._give_up(subject.removeprefix(notices(""))))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _give_up(self, counter: str) -> None:
        for (name, _), lease in list(self._leases.items()):
            if name == counter:
                with suppress(BrokerError):
                    await lease.release(recalled=True)

    # the end ------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._release_idle())

    async def _release_idle(self) -> None:
        while any(lease.held for lease in self._leases.values()):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), IDLE)
                return
            now = asyncio.get_running_loop().time()
            idle = [lease for lease in self._leases.values() if lease.is_idle(now)]
            await asyncio.gather(*(lease.release() for lease in idle), return_exceptions=True)

    async def forget(self, counter: str, account: str) -> None:
        """End an account that nobody here will charge again."""
        lease = self._leases.pop((counter, account), None)
        if lease is not None:
            await lease.release()

    async def close(self) -> None:
        """Give everything back. Raises `BrokerError` where that fails."""
        self._closing.set()
        waiting = {*self._answering, *self._recalls.values()}
        if self._watching is not None:
            waiting.add(self._watching)
        if waiting:
            await asyncio.wait(waiting)
        leases, self._leases = list(self._leases.values()), {}
        failed = await asyncio.gather(
            *(lease.release() for lease in leases), return_exceptions=True
        )
        listening, self._listening = self._listening, {}
        for subscribing in listening.values():
            with suppress(BrokerError):
                await (await subscribing).close()
        for error in failed:
            if isinstance(error, BaseException):
                raise error
