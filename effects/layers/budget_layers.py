"""Layers of budgets: one operation, charged to each at its own cost, or to none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from ...broker.contract import Level
from ...language.annotations import COST_LIMIT
from ...language.errors import PavaneError
from ..errors import (
    BudgetExhausted,
    InvalidEffect,
    LeakageExhausted,
    ReceiptRefused,
    UnknownBudget,
    UnknownLeakage,
)
from ..flow.budget import Budgets, Charged
from ..flow.receipt import Receipt, ReceiptChain, verify_chain
from ..keys import Signer
from ..resilience.finished import finished
from .errors import LayerChargeFailed, LayerExhausted

_EXHAUSTED = (BudgetExhausted, UnknownBudget, LeakageExhausted, UnknownLeakage)


Kind = Literal["flow", "leakage"]


def the_same(base: int) -> int:
    """A layer that is charged the base cost."""
    return base


@dataclass(frozen=True, slots=True)
class BudgetLayer:
    """A flow budget of `peer` in `context`, or the leakage budget of a class of observers, `peer`,
    there. `cost` makes the layer's own cost, a whole number, from the base cost."""

    name: str
    context: str
    peer: str
    cost: Callable[[int], int] = the_same
    kind: Kind = "flow"

    async def charge(self, budgets: Budgets, cost: int) -> Charged:
        take = budgets.charge if self.kind == "flow" else budgets.leak
        return await take(self.context, self.peer, cost)

    async def level(self, budgets: Budgets) -> Level:
        flow = self.kind == "flow"
        look = budgets.level if flow else budgets.leakage
        level = await look(self.context, self.peer)
        if level is None:
            raise (UnknownBudget if flow else UnknownLeakage)(self.context, self.peer)
        return level

    def own_cost(self, base: int) -> int:
        return _whole(f"the cost of layer {self.name}", self.cost(base))


@dataclass(frozen=True, slots=True)
class LayerCharge:
    """What one layer was charged, with its receipt."""

    layer: str
    charged: Charged
    receipt: Receipt

    @property
    def cost(self) -> int:
        return self.charged.amount


@dataclass(frozen=True, slots=True)
class GiveBackFailure:
    """A charge that still stands, because it could not be given back."""

    charge: LayerCharge
    reason: str


@dataclass(frozen=True, slots=True)
class LayeredReceipt:
    """Every layer was charged. `base` is the cost of the operation itself."""

    base: int
    charges: tuple[LayerCharge, ...]

    @property
    def total(self) -> int:
        """What was charged in all layers together."""
        return sum(charge.cost for charge in self.charges)


@dataclass(frozen=True, slots=True)
class _Undone:
    returned: tuple[LayerCharge, ...] = ()
    stuck: tuple[GiveBackFailure, ...] = ()


def _whole(what: str, cost: object) -> int:
    if isinstance(cost, bool) or not isinstance(cost, int) or not 0 <= cost <= COST_LIMIT:
        raise InvalidEffect(what, cost, f"a whole number from 0 to {COST_LIMIT}")
    return cost


def _chain_of(writer: str, kind: str) -> str:
    """A role may be called like a class of observers; their receipts are chained apart."""
    return writer if kind == "flow" else f"{writer}/{kind}"


@dataclass(slots=True)
class _Open:
    """The charges of one operation so far; a charge is in here as soon as it is taken."""

    charges: list[LayerCharge] = field(default_factory=list[LayerCharge])


class BudgetLayers:
    """The layers, in the order in which they are charged. `writer` is who is charged; its receipts
    are signed by `signer`, one chain for each budget, so two of the same name must not live at
    the same time.

    Charges and give-backs are finished whatever is cancelled meanwhile.
    """

    def __init__(
        self, budgets: Budgets, layers: Sequence[BudgetLayer], *, writer: str, signer: Signer
    ) -> None:
        if not layers:
            raise InvalidEffect("layers", (), "one layer or more")
        self.layers = tuple(layers)
        self.writer = writer
        self._budgets = budgets
        self._chains = {
            kind: ReceiptChain(signer, _chain_of(writer, kind)) for kind in ("flow", "leakage")
        }
        self._void: dict[str, tuple[int, set[bytes]]] = {}

    async def charge(self, base: int, *, step: int = 0) -> LayeredReceipt:
        """Charge every layer its own cost of an operation that costs `base`.

        All costs are known before anything is charged: raises `InvalidEffect` for a wrong one.
        When a layer cannot be charged, the earlier ones are given back exactly, the last first,
        and their receipts are void: `LayerExhausted`, or `LayerChargeFailed` where the broker
        failed (that layer's own charge may then stand). A cancellation gives back likewise.
        """
        costs = [layer.own_cost(base) for layer in self.layers]
        taken = _Open()
        for index, (layer, cost) in enumerate(zip(self.layers, costs, strict=True)):
            try:
                await finished(self._take(taken, layer, cost, step))
            except PavaneError as error:
                undone = await self._undo(taken)
                kind = LayerExhausted if isinstance(error, _EXHAUSTED) else LayerChargeFailed
                raise kind(
                    index,
                    layer.name,
                    base=base,
                    cost=cost,
                    cause=error,
                    returned=undone.returned,
                    stuck=undone.stuck,
                ) from error
            except BaseException as error:
                for failure in (await self._undo(taken)).stuck:
                    error.add_note(f"{failure.charge.layer} is still charged: {failure.reason}")
                raise
        return LayeredReceipt(base, tuple(taken.charges))

    async def give_back(self, receipt: LayeredReceipt) -> tuple[GiveBackFailure, ...]:
        """Undo all charges of an operation that did not happen after all; what could not be. Each
        is given back once: what is given back already is left as it is, also at the same time."""
        return (await self._undo(_Open(list(receipt.charges)))).stuck

    @property
    def void(self) -> frozenset[bytes]:
        """The hashes of the receipts whose charges were given back, in the epochs that run."""
        return frozenset(h for _, hashes in self._void.values() for h in hashes)

    async def verify(
        self, layer: BudgetLayer, receipts: Sequence[Receipt], *, signers: Collection[bytes]
    ) -> int:
        """What `receipts`, all of this writer's for `layer` in this epoch, sum to; void ones count
        nothing. Raises `ReceiptRefused` as `verify_chain` does, and where more was receipted
        than the budget has charged; `UnknownBudget` or `UnknownLeakage`."""
        level = await layer.level(self._budgets)
        total = verify_chain(
            receipts,
            context=layer.context,
            peer=layer.peer,
            epoch=level.epoch,
            writer=_chain_of(self.writer, layer.kind),
            signers=signers,
            void=self.void,
        )
        if total > level.spent:
            raise ReceiptRefused(len(receipts) - 1, f"the budget has charged {level.spent} only")
        return total

    # --- one layer ----------------------------------------------------------------------

    async def _take(self, taken: _Open, layer: BudgetLayer, cost: int, step: int) -> None:
        charged = await layer.charge(self._budgets, cost)
        level = charged.level
        receipt = self._chains[layer.kind].issue(
            layer.context, layer.peer, level.epoch, cost=cost, spent=level.spent, step=step
        )
        taken.charges.append(LayerCharge(layer.name, charged, receipt))

    async def _undo(self, taken: _Open) -> _Undone:
        """Every charge is tried, whatever the others come to."""
        returned: list[LayerCharge] = []
        stuck: list[GiveBackFailure] = []
        with anyio.CancelScope(shield=True):
            for charge in reversed(taken.charges):
                try:
                    await finished(self._return(charge))
                except PavaneError as error:
                    stuck.append(GiveBackFailure(charge, error.message))
                else:
                    returned.append(charge)
        return _Undone(tuple(returned), tuple(stuck))

    async def _return(self, charge: LayerCharge) -> None:
        epoch, counter = charge.receipt.epoch, charge.charged.counter
        known = self._void.get(counter)
        if known is None or known[0] < epoch:
            # Receipts of an epoch that is over are void anyway.
            known = self._void[counter] = (epoch, set())
        if charge.receipt.hash in known[1]:
            return
        await self._budgets.give_back(charge.charged)
        if known[0] == epoch:
            known[1].add(charge.receipt.hash)
