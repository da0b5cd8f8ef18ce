"""What is simulated: how, under which faults, and what must hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ...broker.sim.faults import KINDS, Fault, Kind
from ...broker.sim.network import LATENCY
from ...effects.pipeline.registry import ExtensionRegistry
from .admission import require_sound
from .state import SimulationState

Check = Callable[[SimulationState], object]
"""Called after every step; what it returns must not be False, and it must not raise."""

C = TypeVar("C", bound=Check)

HORIZON = 600.0
"""Simulated seconds after which whoever still waits waits for ever."""


@dataclass
class SimulationConfig:
    """`faults` are the kinds that a seed may draw, at most `most` of them in one session; `plan`
    are faults that always strike, in place of those drawn.

    Each role is a process of its own, unless `processes` puts some together. With `durable` the
    sessions are kept in a log and go on after a crash; live ones end with it. `latency` are the
    least and the most seconds that a message takes to the broker, and from there. `shuffled`
    processes run in an order that the seed decides. `grants`, `budgets` and `leakage` are as for
    `open`. Raises `ConfigRefused`, `PlanRefused` and `InvalidGrant` for what cannot be; the roles it
    names are looked for when a protocol is simulated.
    """

    faults: Collection[Kind] = KINDS
    most: int = 3
    plan: Sequence[Fault] | None = None
    durable: bool = False
    processes: Sequence[Sequence[str]] = ()
    latency: tuple[float, float] = LATENCY
    shuffled: bool = True
    horizon: float = HORIZON
    grants: Mapping[str, Collection[str]] | None = None
    budgets: Mapping[str, int] | None = None
    leakage: Mapping[str, int] | None = None
    registry: ExtensionRegistry | None = None
    checks: list[Check] = field(default_factory=list[Check])

    def __post_init__(self) -> None:
        require_sound(self)

    def check(self, check: C) -> C:
        """Have `check` hold after every step; also as a decorator."""
        self.checks.append(check)
        return check
