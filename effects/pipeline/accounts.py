"""The accounts of durable instances in this process: each opened with what its journal says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..errors import JournalBroken
from ..flow.budget import Budgets, Charged
from ..identity import Identity, SendContext
from ..journal.journal import Journal


def leak_key(identity: Identity, number: int, counter: str, leaks: Sequence[Charged]) -> str:
    """The key under which message `number` of an instance leaks to a counter, after `leaks`. Its
    successor, should this process be killed now, sends the message of this number."""
    again = sum(leak.counter == counter for leak in leaks)
    key = ".".join((*identity.tokens(), str(number)))
    return f"{key}.{again}" if again else key


class Accounts:
    """Owned by a driver. An instance has one account, in the budget of its context."""

    def __init__(self, budgets: Budgets, journal: Journal) -> None:
        self._budgets = budgets
        self._journal = journal
        self._opened: dict[Identity, asyncio.Task[tuple[str, str]]] = {}

    async def of(self, context: SendContext) -> str:
        """The name of an instance's account, opened with what its journal says it was charged."""
        identity, where = context.identity, context.budget_context
        opening = self._opened.get(identity)
        if opening is None or (opening.done() and opening.exception()):
            opening = asyncio.create_task(self._open(identity, where, context.turn))
            self._opened[identity] = opening
        return (await asyncio.shield(opening))[1]

    async def _open(self, identity: Identity, where: str, turn: int) -> tuple[str, str]:
        issued, void = await self._journal.receipts(identity)
        if self._opened.get(identity) is not asyncio.current_task():
            raise JournalBroken(identity.instance, "its account was given up meanwhile")
        mine = [r for r in issued if (r.context, r.peer) == (where, identity.role)]
        epoch = max((r.epoch for r in mine), default=0)
        used = sum(r.cost for r in mine if r.epoch == epoch and r.hash not in void)
        name = ".".join(identity.tokens())
        self._budgets.open_account(where, identity.role, name, used=used, epoch=epoch, turn=turn)
        return where, name

    def opened(self, identity: Identity) -> tuple[str, str] | None:
        """The budget and the name of an account that is open."""
        account = self._opened.get(identity)
        if account is None or not account.done() or account.cancelled() or account.exception():
            return None
        return account.result()

    def forget(self, identity: Identity) -> None:
        """Charge nothing more to it here: another process may."""
        self._opened.pop(identity, None)

    async def close(self, identity: Identity) -> None:
        """Give back what was drawn ahead; nobody will charge it again."""
        opened = self._opened.pop(identity, None)
        if opened is not None:
            where, name = await opened
            await self._budgets.close_account(where, identity.role, name)
