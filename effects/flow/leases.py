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
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ...broker.contract import Broker, Hold, Level, Subscription
from ...broker.errors import BrokerError, LimitExceeded, UnknownCounter
from ...broker.surroundings import unique
from .lease import IDLE, Lease

PATIENCE = 1.0
"""Seconds that others get to give back what they hold, when a charge would be refused."""

T = TypeVar("T")


def notices(counter: str) -> str:
    """The subject on which processes ask each other for what they hold of a counter."""
    return f"leases.{counter}"


class Leases:
    """The leases of one process on one broker; `close` gives them all back. Without `ahead`
    nothing is drawn ahead here.

    A lasting account is not of the process but of whoever it is named after: another process
    that opens it with what is known to be used goes on where this one was.
    """

    def __init__(self, broker: Broker, *, ahead: bool = True) -> None:
        self._broker = broker
        self._ahead = ahead
        self._owner = unique(8)
        self._opened = 0
        self._leases: dict[tuple[str, str], Lease] = {}
        self._stuck: dict[str, frozenset[Hold]] = {}
        self._recalls: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._listening: dict[str, asyncio.Task[Subscription]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def opened(self, counter: str, account: str = "") -> Lease:
        """That of this process, or of an account that was opened."""
        lease = self._leases.get((counter, account or self._owner))
        if lease is None:
            assert not account, f"the account {account} is not open"
            lease = Lease(self._broker, counter, self._owner, self._owner)
            self._leases[counter, self._owner] = lease
        return lease

    def open(self, counter: str, account: str, *, used: int, epoch: int, turn: int = 0) -> None:
        """Begin a lasting account with `used` in `epoch`. One of the same name that was open here
        draws nothing more, once the new one has drawn; and one of a later `turn` never lets an
        earlier one draw again."""
        self._opened += 1
        owner = f"{turn}/{self._owner}.{self._opened}"
        lease = Lease(self._broker, counter, account, owner, lasting=True)
        lease.epoch, lease.used, lease.drawn = epoch, used, used
        self._leases[counter, account] = lease

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
        """End an account that nobody will charge again. What another process had drawn for it,
        and was killed, is given back too."""
        lease = self._leases.pop((counter, account), None)
        if lease is None:
            return
        if lease.take_over:
            # Also where nothing is left: whoever had it before finds it closed.
            try:
                await lease.draw(0, ahead=False)
            except UnknownCounter:
                return
            lease.settle()
        await lease.release()

    async def reopen(self, lease: Lease) -> None:
        """Have a settled charge of a lasting account open again, so that it can be given back.
        Raises as `Broker.reserve`: `HoldTaken`, where it is another's to give back."""
        await lease.draw(0, ahead=False)
        self._watch()

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
