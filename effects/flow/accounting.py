"""Holding a journal's receipts against the budgets that they were charged to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from ..errors import ReceiptRefused
from ..identity import Identity
from ..journal.entry import Entry
from . import receipt as receipts
from .budget import Budgets
from .receipt import ChainCheck

_Chain = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong; `writer` is empty where it is about a whole budget."""

    writer: str
    context: str
    peer: str
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sum:
    """What the receipts of all writers in one epoch of a budget come to; those given back count
    nothing. `spent` is what the budget says, None where it is in another epoch by now."""

    context: str
    peer: str
    epoch: int
    receipts: int
    total: int
    spent: int | None


@dataclass(frozen=True, slots=True)
class Accounting:
    sums: tuple[Sum, ...]
    signers: frozenset[bytes]
    faults: tuple[Fault, ...]


async def accounted(
    entries: AsyncIterator[Entry], budgets: Budgets, signers: Collection[bytes] | None = None
) -> Accounting:
    """Follow the chain of every writer, and compare the sums with the budgets as they are now.

    A budget may say more than its receipts come to: a charge whose answer was lost, what is drawn
    ahead, sessions that keep no journal here. Less is a fault.
    """
    ledger = _Ledger(signers)
    async for entry in entries:
        ledger.take(entry)
    return await ledger.closed(budgets)


class _Ledger:
    def __init__(self, signers: Collection[bytes] | None) -> None:
        self._signers = signers
        self._chains: dict[_Chain, ChainCheck] = {}
        self._broken: dict[_Chain, Fault] = {}
        self._costs: dict[tuple[Identity, int], tuple[ChainCheck, int]] = {}

    def take(self, entry: Entry) -> None:
        if entry.kind == "unsent":
            chain, cost = self._costs.pop((entry.writer, entry.count), (None, 0))
            if chain is not None:
                chain.total -= cost
        elif entry.kind == "sent" and entry.proof:
            self._follow(entry)

    def _follow(self, entry: Entry) -> None:
        writer = ".".join(entry.writer.tokens())
        try:
            receipt = receipts.unpack(entry.proof)
        except ValueError:
            key: _Chain = ("", "", 0, writer)
            self._broken.setdefault(key, Fault(writer, "", "", 0, "a receipt cannot be read"))
            return
        key = (receipt.context, receipt.peer, receipt.epoch, writer)
        if key in self._broken:
            return
        chain = self._chains.get(key)
        if chain is None:
            chain = self._chains[key] = ChainCheck(*key, self._signers)
        try:
            chain.follow(receipt)
        except ReceiptRefused as refused:
            self._broken[key] = Fault(writer, *key[:3], refused.message)
        else:
            self._costs[entry.writer, entry.number] = (chain, receipt.cost)

    async def closed(self, budgets: Budgets) -> Accounting:
        sums: list[Sum] = []
        faults = list(self._broken.values())
        for context, peer, epoch in sorted({key[:3] for key in self._chains}):
            mine = [c for key, c in self._chains.items() if key[:3] == (context, peer, epoch)]
            total = sum(chain.total for chain in mine)
            level = await budgets.level(context, peer)
            spent = level.spent if level is not None and level.epoch == epoch else None
            if spent is not None and total > spent:
                reason = f"the receipts come to {total}, and the budget has charged {spent} only"
                faults.append(Fault("", context, peer, epoch, reason))
            count = sum(chain.count for chain in mine)
            sums.append(Sum(context, peer, epoch, count, total, spent))
        found = frozenset[bytes]().union(*(chain.found for chain in self._chains.values()))
        return Accounting(tuple(sums), found, tuple(faults))
