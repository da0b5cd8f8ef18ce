"""Flow and leakage budgets: bounded counters on the broker, shared by all processes.

A flow budget belongs to (context, peer): the context is `namespace.protocol` unless a session
names its own, and the peer is the role that sends. All instances of a role and all
processes that play it share it. Its epoch stands in the counter: a rotation begins the next
one with nothing spent. A leakage budget belongs to (context, class of observers).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..broker import subjects
from ..broker.contract import Broker, Level
from ..broker.errors import LimitExceeded, UnknownCounter
from .errors import (
    BudgetExhausted,
    LeakageExhausted,
    ReceiptRefused,
    UnknownBudget,
    UnknownLeakage,
)
from .receipt import Receipt, verify_chain


@dataclass(frozen=True, slots=True)
class Charged:
    """What was taken from a counter; `level` is the counter right after."""

    counter: str
    amount: int
    level: Level


def flow_counter(context: str, peer: str) -> str:
    return _counter("flow", context, peer)


def leakage_counter(context: str, observer: str) -> str:
    return _counter("leak", context, observer)


def _counter(kind: str, context: str, name: str) -> str:
    names = [*context.split("."), name]
    return ".".join([kind, *(subjects.token(part) for part in names)])


class Budgets:
    """The budgets on one broker. `spent + cost <= limit` holds under any concurrency.

    A write whose outcome the broker could not tell counts as spent: a budget can be
    charged too much then, never too little.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    # flow -----------------------------------------------------------------------------

    async def define(self, context: str, peer: str, limit: int) -> Level:
        """Create the budget or change its limit; what is spent stays.

        Raises `LimitExceeded` where more than `limit` is spent already.
        """
        return await self._broker.set_limit(flow_counter(context, peer), limit)

    async def level(self, context: str, peer: str) -> Level | None:
        return await self._broker.level(flow_counter(context, peer))

    async def charge(self, context: str, peer: str, cost: int) -> Charged:
        """Take `cost`. Raises `BudgetExhausted` (nothing is taken) or `UnknownBudget`."""
        counter = flow_counter(context, peer)
        try:
            return Charged(counter, cost, await self._broker.spend(counter, cost))
        except LimitExceeded as error:
            raise BudgetExhausted(
                context, peer, limit=error.limit, spent=error.spent, cost=cost
            ) from None
        except UnknownCounter:
            raise UnknownBudget(context, peer) from None

    async def rotate(self, context: str, peer: str) -> Level:
        """Begin the next epoch: nothing is spent, and the receipts until now are void."""
        try:
            return await self._broker.rotate(flow_counter(context, peer))
        except UnknownCounter:
            raise UnknownBudget(context, peer) from None

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

    async def define_leakage(self, context: str, observer: str, limit: int) -> Level:
        return await self._broker.set_limit(leakage_counter(context, observer), limit)

    async def leakage(self, context: str, observer: str) -> Level | None:
        return await self._broker.level(leakage_counter(context, observer))

    async def leak(self, context: str, observer: str, amount: int) -> Charged:
        """Take `amount`. Raises `LeakageExhausted` (nothing is taken) or `UnknownLeakage`."""
        counter = leakage_counter(context, observer)
        try:
            return Charged(counter, amount, await self._broker.spend(counter, amount))
        except LimitExceeded as error:
            raise LeakageExhausted(
                context, observer, limit=error.limit, spent=error.spent, cost=amount
            ) from None
        except UnknownCounter:
            raise UnknownLeakage(context, observer) from None

    # back -----------------------------------------------------------------------------

    async def give_back(self, charged: Charged) -> None:
        """Undo a charge exactly. One of an epoch that is over has nothing to be undone."""
        await self._broker.give_back(charged.counter, charged.amount, epoch=charged.level.epoch)
