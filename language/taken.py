"""What is decided by the first step of a branch, through the choices that directly begin it."""

from __future__ import annotations

from msgspec import Struct, structs

from .graph import Branching, Way
from .machine import Action
from .timing import Bound, windowed
from .tree import Expr


class Taken(Struct, frozen=True, gc=False):
    """Labels, guards and times, outermost first."""

    labels: tuple[str, ...] = ()
    guards: tuple[Expr, ...] = ()
    opens: tuple[Bound, ...] = ()
    closes: tuple[Bound, ...] = ()

    def then(self, choice: Branching, way: Way) -> Taken:
        guards = self.guards if way.guard is None else (*self.guards, way.guard)
        limit = () if choice.limit is None else (choice.limit,)
        opens, closes = (limit, ()) if way.late else ((), limit)
        labels = (*self.labels, way.label)
        return Taken(labels, guards, self.opens + opens, self.closes + closes)

    def beginning(self, action: Action) -> Action:
        return structs.replace(
            action,
            branches=(*self.labels, *action.branches),
            guards=(*self.guards, *action.guards),
            timing=windowed(action.timing, self.opens, self.closes),
        )
