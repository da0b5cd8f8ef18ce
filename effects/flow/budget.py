"""Flow and leakage budgets: bounded counters on the broker, shared by all processes.

A flow budget belongs to (context, peer): the context is `namespace.protocol` unless a session
names its own, and the peer is the role that sends. All instances of a role and all
processes that play it share it. Its epoch stands in the counter: a rotation begins the next
one with nothing spent. A leakage budget belongs to (context, class of observers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from msgspec.structs import replace

from ...broker import subjects
from ...broker.contract import Broker, Level
from ...broker.errors import LimitExceeded, Unconfirmed, UnknownCounter
from ...broker.level import LIMIT_MAX
from ...language.errors import PavaneError
from ..errors import (
    BudgetExhausted,
    LeakageExhausted,
    ReceiptRefused,
    UnknownBudget,
    UnknownLeakage,
)
from .keyed import Keyed
from .lease import Lease
from .leases import Leases
from .receipt import Receipt, verify_chain


@dataclass(frozen=True, slots=True)
class Charged:
    """What was taken from a counter; `level` is the counter right after, without what this
    process has drawn ahead, as far as it knows. `lease` has the charge, if one has; a `key` was
    charged under in this `turn`."""

    counter: str
    amount: int
    level: Level
    lease: Lease | None = field(default=None, repr=False, compare=False)
    key: str = ""
    turn: int = 0
    is_undone: bool = field(default=False, init=False, repr=False, compare=False)
    """Whether it was given back, or is about to be. `Budgets.give_back` alone sets this."""


def flow_counter(context: str, peer: str) -> str:
    return _counter("flow", context, peer)


def leakage_counter(context: str, observer: str) -> str:
    return _counter("leak", context, observer)


@lru_cache(maxsize=4096)
def _counter(kind: str, context: str, name: str) -> str:
    names = [*context.split("."), name]
    return ".".join([kind, *(subjects.token(part) for part in names)])


class Budgets:
    """The budgets on one broker. `spent + cost <= limit` holds under any concurrency.

    A write whose outcome the broker could not tell counts as spent: a budget can be
    charged too much then, never too little; a charge with a key is exact even so.

    With `leases` a budget that is charged often is drawn from ahead, so that most charges are
    local; `close` gives back what is left, and who does not close loses it until the next epoch.
    """

    def __init__(self, broker: Broker, *, leases: bool = False) -> None:
        self._broker = broker
        self._leases = Leases(broker, ahead=leases)
        self._keyed = Keyed(broker)

    # flow -----------------------------------------------------------------------------

    async def define(
        self, context: str, peer: str, limit: int, *, window: float | None = None
    ) -> Level:
        """Create the budget or change its limit; what is spent stays.

        With a `window` in seconds its epochs turn by themselves; 0 ends that, None leaves it.
        Raises `LimitExceeded` where more than `limit` is spent already, and `ValueError` for what
        is no whole number from 0 to 2**53 - 1, or no window of a millisecond at least.
        """
        counter = flow_counter(context, peer)
        try:
            return await self._broker.set_limit(counter, limit, window=window)
        except LimitExceeded:
            # Some of it may only be drawn ahead.
            await self._leases.recall(counter)
            return await self._broker.set_limit(counter, limit, window=window)

    async def level(self, context: str, peer: str) -> Level | None:
        """The budget as it is now. What other processes have drawn ahead (see `Level.held`) counts
        as spent, what this one has does not."""
        counter = flow_counter(context, peer)
        level = await self._broker.level(counter)
        return level and replace(
            level, spent=level.spent - self._leases.unused(counter, level.epoch)
        )

    async def charge(
        self, context: str, peer: str, cost: int, *, key: str = "", account: str = ""
    ) -> Charged:
        """Take `cost`. Raises `BudgetExhausted` (nothing is taken) or `UnknownBudget`, and
        `ValueError` for what is no whole number, or negative.

        With a `key` the cost is taken once: also when the same key is charged again by another
        process, after the first was killed between the charge and whatever records it. That
        holds until `settle`, and ends with the epoch. So who charges under a key first stores,
        in one append with what depends on it, that the charge was made, and settles it then;
        and who comes after looks there before charging. Another cost under the same key is another
        charge, and is refused with `CounterError`.

        An `account` that was opened charges from what it has drawn, usually without asking the
        broker. It is exact in the same way: see `open_account`.
        """
        counter = flow_counter(context, peer)
        try:
            if type(cost) is int and cost > LIMIT_MAX:
                await self._refuse(counter, cost)
            if key:
                return await self._once(counter, cost, key, 0)
            lease = self._leases.opened(counter, account)
            level, leased = await self._leases.charge(lease, cost)
            return Charged(counter, cost, level, lease if leased else None)
        except LimitExceeded as error:
            raise BudgetExhausted(
                context, peer, limit=error.limit, spent=error.spent, cost=cost
            ) from None
        except UnknownCounter:
            raise UnknownBudget(context, peer) from None

    def take(self, context: str, peer: str, cost: int, account: str) -> Charged | None:
        """As `charge` for an account, where that has drawn enough; None, and nothing has happened,
        where the broker has to be asked."""
        counter = flow_counter(context, peer)
        lease = self._leases.opened(counter, account)
        level = lease.take(cost, asyncio.get_running_loop().time())
        return Charged(counter, cost, level, lease) if level is not None else None

    def opened(self, context: str, peer: str, account: str) -> Lease:
        """The lease of an account that was opened."""
        return self._leases.opened(flow_counter(context, peer), account)

    async def _refuse(self, counter: str, cost: int) -> None:
        """What is more than any limit can be is exhausted, and to the broker no amount."""
        level = await self._broker.level(counter)
        if level is None:
            raise UnknownCounter(counter)
        raise LimitExceeded(counter, limit=level.limit, spent=level.spent, amount=cost)

    async def _once(self, counter: str, cost: int, key: str, turn: int) -> Charged:
        async def charge() -> Level:
            return await self._keyed.charge(counter, cost, key, turn)

        try:
            level = await charge()
        except LimitExceeded:
            level = await self._leases.insist(charge, counter)
        return Charged(counter, cost, level, key=key, turn=turn)

    def open_account(
        self, context: str, peer: str, account: str, *, used: int = 0, epoch: int = 0, turn: int = 0
    ) -> None:
        """Let `account` charge in this process: the account of one role instance, say.

        `used` is the sum of its charges that are stored, in `epoch`. What a process drew for it
        that was killed is not lost: the next one draws it again, and it counts once. The other,
        should it live after all, can draw no more: not even what it has not begun to, where
        `turn` counts who has the account. Each charge is to be settled when it is stored, or given back.
        """
        self._leases.open(flow_counter(context, peer), account, used=used, epoch=epoch, turn=turn)

    async def close_account(self, context: str, peer: str, account: str) -> None:
        """Give back what was drawn ahead for an account, here or by a process that was killed;
        nothing more will be charged to it."""
        await self._leases.forget(flow_counter(context, peer), account)

    def settle(self, charged: Charged) -> None:
        """The charge is stored elsewhere: the budget need not remember its key."""
        if charged.key:
            epoch = charged.level.epoch
            self._keyed.settle(charged.counter, charged.key, charged.amount, epoch, charged.turn)
        elif charged.lease is not None:
            charged.lease.settle()

    async def rotate(self, context: str, peer: str) -> Level:
        """Begin the next epoch: nothing is spent, and the receipts until now are void.

        Processes with a lease learn of it at once; one that is cut off charges the old epoch
        for `lease.FRESH` seconds at most.
        """
        counter = flow_counter(context, peer)
        try:
            level = await self._broker.rotate(counter)
        except UnknownCounter:
            raise UnknownBudget(context, peer) from None
        self._leases.notify(counter)
        return level

    async def verify(
        self,
        receipts: Sequence[Receipt],
        context: str,
        peer: str,
        *,
        writer: str,
        signers: Collection[bytes],
        void: Collection[bytes] = (),
    ) -> int:
        """The sum of one writer's receipts in the epoch that runs now.

        Raises `ReceiptRefused` for what `verify_chain` refuses, receipts of an epoch that is
        over among it, and for more receipts than the budget has charged.
        """
        level = await self.level(context, peer)
        if level is None:
            raise UnknownBudget(context, peer)
        total = verify_chain(
            receipts,
            context=context,
            peer=peer,
            epoch=level.epoch,
            writer=writer,
            signers=signers,
            void=void,
        )
        if total > level.spent:
            raise ReceiptRefused(len(receipts) - 1, f"the budget has charged {level.spent} only")
        return total

    # leakage --------------------------------------------------------------------------

    async def define_leakage(
        self, context: str, observer: str, limit: int, *, window: float | None = None
    ) -> Level:
        """What this class of observers may learn: in every `window` of so many seconds, or in
        all without one (0). None leaves a window as it is."""
        counter = leakage_counter(context, observer)
        return await self._broker.set_limit(counter, limit, window=window)

    async def leakage(self, context: str, observer: str) -> Level | None:
        return await self._broker.level(leakage_counter(context, observer))

    async def leak(
        self, context: str, observer: str, amount: int, *, key: str = "", turn: int = 0
    ) -> Charged:
        """Take `amount`, under a `key` once as `charge` does; of two that have the key, the one of
        the later `turn` has it. Raises `LeakageExhausted` (nothing is taken) or `UnknownLeakage`."""
        counter = leakage_counter(context, observer)
        try:
            if type(amount) is int and amount > LIMIT_MAX:
                await self._refuse(counter, amount)
            if key:
                return await self._once(counter, amount, key, turn)
            return Charged(counter, amount, await self._broker.spend(counter, amount))
        except LimitExceeded as error:
            raise LeakageExhausted(
                context, observer, limit=error.limit, spent=error.spent, cost=amount
            ) from None
        except UnknownCounter:
            raise UnknownLeakage(context, observer) from None

    # back -----------------------------------------------------------------------------

    async def reopen(self, charged: Charged) -> None:
        """Before what says that a charge of an account was made is taken back: hold the charge
        open, so that it is given back by whoever has the account when that is stored, and by
        nobody else. Raises `HoldTaken` where a later turn has it already."""
        if charged.lease is not None and charged.lease.lasting:
            await self._leases.reopen(charged.lease)

    async def give_back(self, charged: Charged) -> None:
        """Undo a charge exactly, and once: a second time, or at the same time, does nothing. One of
        an epoch that is over has nothing to be undone. One of an account is open (see `reopen`), and
        stays so until it is settled.

        Where this raises, the charge stands, and it can be tried again; but with `Unconfirmed`, or
        cancelled, it may be given back or not, and is left at that.
        """
        if charged.is_undone:
            return
        object.__setattr__(charged, "is_undone", True)
        try:
            await self._undo(charged)
        except Unconfirmed:
            raise
        except PavaneError:
            object.__setattr__(charged, "is_undone", False)
            raise

    async def _undo(self, charged: Charged) -> None:
        epoch = charged.level.epoch
        if charged.key:
            await self._keyed.give_back(
                charged.counter, charged.key, charged.amount, epoch, charged.turn
            )
        elif charged.lease is not None:
            await charged.lease.give_back(charged.amount, epoch)
        else:
            await self._broker.give_back(charged.counter, charged.amount, epoch=epoch)

    async def close(self) -> None:
        """Give back what was drawn ahead, and settle what is to be settled."""
        await self._keyed.close()
        await self._leases.close()
