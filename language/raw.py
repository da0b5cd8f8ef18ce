"""What the subset construction makes of a class's view: a machine that is not yet minimised."""

from __future__ import annotations

from dataclasses import dataclass, field

from .machine import Action, Counter
from .merge import Clash


@dataclass(slots=True)
class Raw:
    """A deterministic machine, not yet minimised."""

    edges: list[list[tuple[Action, int]]] = field(default_factory=list[list[tuple[Action, int]]])
    finals: set[int] = field(default_factory=set[int])
    counters: dict[int, Counter] = field(default_factory=dict[int, Counter])
    conflicts: list[Clash] = field(default_factory=list[Clash])


class TooLarge(Exception):
    """The local machine has many more states than the protocol has steps."""
