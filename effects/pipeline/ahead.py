"""What an annotated message of a durable instance waits for when it does not wait for its journal: a
budget, if anything. And its charge, which is settled when the journal has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import EffectError
from ..flow.budget import Budgets, Charged
from ..identity import Identity
from .accounts import Accounts
from .command import Snapshot
from .plan import Simple


class Payer(Protocol):
    """A driver whose durable instances have accounts."""

    budgets: Budgets
    accounts: Accounts

    def require(self, holder: Identity, token: bytes, capability: str) -> None: ...
    def in_epoch(self, charged: Charged) -> None: ...


async def paid(payer: Payer, snapshot: Snapshot, simple: Simple) -> list[Charged] | None:
    """What a send was charged, its capabilities checked; None, and nothing has happened, where it is
    refused. Nothing is awaited once it is charged; cancelled before, it is not charged."""
    context = snapshot.context
    identity = context.identity
    cost = simple.cost * snapshot.copies
    try:
        for capability in simple.guards:
            payer.require(identity, context.token, capability)
        if not cost:
            return []
        account = payer.accounts.opened(identity)
        assert account is not None, "it has begun"
        where, name = account
        charged = payer.budgets.take(where, identity.role, cost, name)
        if charged is None:
            charged = await payer.budgets.charge(where, identity.role, cost, account=name)
    except EffectError:
        return None
    payer.in_epoch(charged)
    return [charged]


class Settling:
    """Charges by the word of the journal that they wait for."""

    def __init__(self, settle: Callable[[Charged], None]) -> None:
        self._settle = settle
        self._waiting: dict[asyncio.Future[None], list[Charged]] = {}

    def settle(self, charges: Sequence[Charged], stored: asyncio.Future[None]) -> None:
        """Settle `charges` when `stored` is done. Where it fails they stay open: whoever knows what the
        journal has will see to them."""
        waiting = self._waiting.get(stored)
        if waiting is None:
            waiting = self._waiting[stored] = []
            stored.add_done_callback(self._done)
        waiting += charges

    def _done(self, stored: asyncio.Future[None]) -> None:
        charges = self._waiting.pop(stored)
        if not stored.cancelled() and stored.exception() is None:
            for charged in charges:
                self._settle(charged)
