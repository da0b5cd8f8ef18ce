"""When a class's steps have to be taken, and which clocks its steps start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .graph import Branching, Comm, Each, Fork, Goto, successors
from .timing import Bound, Timing

if TYPE_CHECKING:
    from .view import View


class Moments:
    """Of the view of one class."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._starts: dict[int, tuple[int, ...]] = {}

    def of(self, comm: Comm) -> Timing | None:
        """Those of a message that the class sends or receives."""
        starts, limits = self._started(comm.next), comm.timing
        if limits is None:
            return Timing(starts=starts) if starts else None
        bounds = self._bounds(comm)
        if not (bounds or starts or limits.lane):
            return None
        return Timing(bounds, starts=starts, lane=limits.lane)

    def _started(self, number: int) -> tuple[int, ...]:
        """The clocks of all that can become possible once the class has come to a node."""
        if number not in self._starts:
            self._starts[number] = tuple(sorted(self._starting(number)))
        return self._starts[number]

    def _starting(self, start: int) -> Iterator[int]:
        view = self._view
        seen = set[int]()
        waiting = [start]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            match view.node(number):
                case Comm() as comm if view.sends(comm) or view.receives(comm):
                    yield from (bound.clock for bound in self._bounds(comm) if not bound.block)
                    continue
                case Goto(clock=clock) if clock:
                    yield clock
                case Branching(limit=Bound() as limit) as choice if view.chooses(choice):
                    yield limit.clock
                case _:
                    pass
            waiting.extend(self._after(number))

    def _bounds(self, comm: Comm) -> tuple[Bound, ...]:
        limits = comm.timing
        if limits is None:
            return ()
        return limits.sender if self._view.sends(comm) else limits.receiver

    def _after(self, number: int) -> tuple[int, ...]:
        node = self._view.node(number)
        return self._view.silent(number) if isinstance(node, Each | Fork) else successors(node)
