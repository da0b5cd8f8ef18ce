"""What layers of capabilities and of budgets refuse.

PavaneError
└── EffectError
    ├── LayerDenied            a layer of authority refused; the later ones were not asked
    │   └── LayerWidened       a layer would have given more than it was given
    └── LayerChargeFailed      a layer could not be charged; the earlier ones were given back
        └── LayerExhausted     its budget is exhausted, or it has none
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import EffectError

if TYPE_CHECKING:
    from .budget_layers import GiveBackFailure, LayerCharge


class LayerDenied(EffectError):
    """Layer `index` (from 0, None before the first), called `layer`, denied it: `reason`."""

    code = "PV461"

    def __init__(self, index: int | None, layer: str, reason: str) -> None:
        where = "before the first layer" if index is None else f"layer {index} ({layer})"
        super().__init__(f"denied by {where}: {reason}", hint="ask for what this layer allows")
        self.index = index
        self.layer = layer
        self.reason = reason


class LayerWidened(LayerDenied):
    """The layer's context allows more than the one it was given: a fault of the layer."""

    code = "PV462"

    def __init__(self, index: int, layer: str, what: str) -> None:
        super().__init__(index, layer, f"it would widen {what}")
        self.hint = "a layer may take away and never add: correct this layer"
        self.what = what


class LayerChargeFailed(EffectError):
    """Layer `index`, called `layer`, could not be charged its `cost` (see `__cause__`).

    `returned` are the charges of the earlier layers that were given back, their receipts void;
    `stuck` those that could not be, and are still charged.
    """

    code = "PV465"

    def __init__(
        self,
        index: int,
        layer: str,
        *,
        base: int,
        cost: int,
        cause: Exception,
        returned: tuple[LayerCharge, ...],
        stuck: tuple[GiveBackFailure, ...],
    ) -> None:
        reason = cause.message if isinstance(cause, EffectError) else str(cause)
        told = [f"layer {index} ({layer}) cannot be charged {cost}: {reason}"]
        told += [f"{s.charge.layer} keeps {s.charge.cost}: {s.reason}" for s in stuck]
        hint = "give back by hand what is still charged" if stuck else "raise this layer's limit"
        super().__init__("; ".join(told), hint=hint)
        self.index = index
        self.layer = layer
        self.base = base
        self.cost = cost
        self.returned = returned
        self.stuck = stuck


class LayerExhausted(LayerChargeFailed):
    """The layer's budget would be exceeded, or the layer has none."""

    code = "PV466"
