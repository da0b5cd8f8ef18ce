"""What may go on for ever inside a counted loop, a `foreach` or a `parallel`, so that what follows is not
reached: whoever waits behind it has to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from .graph import Branching, Count, Each, GlobalNode, between, successors
from .indices import length
from .scope import Site, refuse

if TYPE_CHECKING:
    from .flow import Flow


class Staying:
    """Of one graph, which may grow. It is looked at only where something in it has no end."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._found: dict[tuple[int, int], bool | None] = {}

    def in_rounds(self, count: Count) -> bool:
        """Whether a round of a counted loop may go on for ever, so that none comes after it."""
        nodes = self._flow.nodes

        def is_over(number: int) -> bool:
            node = nodes[number]
            return isinstance(node, Count) and node.loop == count.loop

        return self._may(count.body, -count.loop, is_over) is not False

    def in_branches(self, entries: Iterable[int], join: int) -> tuple[int, ...]:
        """Those branches of `parallel` that may go on for ever, so that the join is not reached; if one
        never comes there at all, that one."""
        found = {entry: self._in_branch(entry, join) for entry in entries}
        never = tuple(entry for entry, may in found.items() if may is None)
        return never[:1] or tuple(entry for entry, may in found.items() if may)

    def never_comes(self, entry: int, join: int) -> bool:
        """Whether a branch of `parallel` cannot come to its join."""
        return self._in_branch(entry, join) is None

    def settling(self, entry: int, join: int) -> list[int]:
        """The choices in a branch of `parallel`."""
        nodes = self._flow.nodes
        return sorted(n for n in between(nodes, entry, join) if isinstance(nodes[n], Branching))

    def _in_branch(self, entry: int, join: int) -> bool | None:
        return self._may(entry, join, lambda number: number == join)

    def _may(self, start: int, place: int, goal: Callable[[int], bool]) -> bool | None:
        """None where it stays in any case."""
        if not self._flow.endless:
            return False
        key = (start, place)
        if key not in self._found:
            self._found[key] = _may_stay(self._flow.nodes, start, goal)
        return self._found[key]

    def refuse_lost_rounds(self) -> None:
        """Raise where a `foreach` may stay in a round: those of the later ones would wait for ever."""
        for each in self._flow.nodes if self._flow.endless else ():
            if not isinstance(each, Each) or length(each.start, each.stop) == 1:
                continue
            count, site = self._flow.nodes[each.loop], each.site
            assert isinstance(count, Count) and isinstance(site, Site)
            if self.in_rounds(count):
                raise refuse(
                    "PV136",
                    "the later rounds of this foreach may never be reached: a branch of its body never ends",
                    site.statement.span,
                    "let every branch of its body end",
                )


def _may_stay(nodes: Sequence[GlobalNode], start: int, goal: Callable[[int], bool]) -> bool | None:
    """Whether some way on from `start` never comes to a `goal`, whatever is done then; None if all do."""
    before: dict[int, list[int]] = {}
    ends = list[int]()
    seen = {start}
    waiting = [start]
    while waiting:
        number = waiting.pop()
        if goal(number):
            ends.append(number)
            continue
        for after in successors(nodes[number]):
            before.setdefault(after, []).append(number)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    comes = set(ends)
    while ends:
        for number in before.get(ends.pop(), ()):
            if number not in comes:
                comes.add(number)
                ends.append(number)
    return len(comes) < len(seen) if start in comes else None
