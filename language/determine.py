"""The subset construction: from a class's view of the graph to a deterministic local machine.

A state is the set of heads where the class can be, given what it has seen. States whose
alternatives do not merge are reported as conflicts and not followed further, so that one pass
finds all of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from .graph import Branching, Comm, Count, Fork, Join
from .machine import Action
from .merge import Alternative, Clash, Move, merge
from .tree import Expr
from .view import OVER, Decisions, Head, Heads, Product, View

STATE_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """A state whose alternatives do not merge. `choices` are the choices of others, by node
    number, that it does not know the outcome of; the outermost first."""

    clash: Clash
    choices: tuple[int, ...]


@dataclass(slots=True)
class Raw:
    """A deterministic machine, not yet minimised; `counters` as `machine.Counter` by state."""

    edges: list[list[tuple[Action, int]]] = field(default_factory=list[list[tuple[Action, int]]])
    finals: set[int] = field(default_factory=set[int])
    counters: dict[int, tuple[int, bool, int | str, int, int]] = field(
        default_factory=dict[int, tuple[int, bool, int | str, int, int]]
    )
    conflicts: list[Conflict] = field(default_factory=list[Conflict])


class TooLarge(Exception):
    """The local machine has more than `STATE_LIMIT` states."""


class Determinisation:
    """One run of the construction; `raw` is the result."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._numbers: dict[Heads, int] = {}
        self._decided: dict[Heads, dict[Head, Decisions]] = {}
        self._waiting: deque[Heads] = deque()
        self.raw = Raw()
        start = view.heads(view.flow.entry)
        self._state(frozenset(start), start)
        while self._waiting:
            self._expand(self._waiting.popleft())

    # states -----------------------------------------------------------------------------

    def _state(self, heads: Heads, decided: dict[Head, Decisions]) -> int:
        number = self._numbers.get(heads)
        if number is None:
            number = self._numbers[heads] = len(self.raw.edges)
            if number >= STATE_LIMIT:
                raise TooLarge
            self.raw.edges.append([])
            if len(heads) > 1:
                self._decided[heads] = decided
            self._waiting.append(heads)
        return number

    def _expand(self, heads: Heads) -> None:
        number = self._numbers[heads]
        if self._counted(number, heads):
            return
        alternatives = {head: self._alternative(head) for head in _sorted(heads)}
        merged = merge(list(alternatives.values()))
        if isinstance(merged, Clash):
            self.raw.conflicts.append(Conflict(merged, self._unknown(heads)))
            return
        moves, ends = merged
        if ends or not moves:
            self.raw.finals.add(number)
        for move in moves:
            decided = self._after(heads, alternatives, move)
            self.raw.edges[number].append((move.action, self._state(move.target, decided)))

    def _counted(self, number: int, heads: Heads) -> bool:
        """Pass the first counted loop that stands at the front of this state, if there is one."""
        passed = self._pass(heads, -1)
        if passed is None:
            return False
        count, body, leave = passed
        self.raw.counters[number] = (
            count.loop,
            count.enters,
            count.count,
            self._state(body, {}),
            self._state(leave, {}),
        )
        return True

    def _pass(self, heads: Heads, border: int) -> tuple[Count, Heads, Heads] | None:
        if len(heads) != 1:
            return None
        (head,) = heads
        if isinstance(head, int):
            node = self._view.node(head)
            if not isinstance(node, Count) or head == border:
                return None
            return node, self._heads(node.body, border), self._heads(node.exit, border)
        join = self._join(head)
        for place, part in enumerate(head.parts):
            passed = self._pass(part, join)
            if passed is not None:
                count, body, leave = passed
                into = self._product(head, place, body, border)
                return count, into, self._product(head, place, leave, border)
        return None

    # alternatives -------------------------------------------------------------------------

    def _alternative(self, head: Head, border: int = -1) -> Alternative:
        if isinstance(head, Product):
            return self._interleaved(head, border)
        node = None if head == border else self._view.node(head)
        match node:
            case Comm():
                target = self._heads(node.next, border)
                return Alternative([Move(self._view.action(node), target, node.next)])
            case Branching():
                return self._own_choice(node, border)
            case Count():
                return self._merged(self._heads(self._view.flow.peel(head), border), border)
            case _:
                return Alternative(ends=True)

    def _heads(self, number: int, border: int = -1) -> Heads:
        return frozenset(self._view.heads(number, border))

    def _merged(self, heads: Heads, border: int) -> Alternative:
        """All alternatives at `heads` as one; a clash is noted and ends there."""
        alternatives = [self._alternative(head, border) for head in _sorted(heads)]
        if len(alternatives) == 1:
            return alternatives[0]
        merged = merge(alternatives)
        if isinstance(merged, Clash):
            self.raw.conflicts.append(Conflict(merged, self._silent_choices()))
            return Alternative(ends=True)
        return Alternative(*merged)

    def _own_choice(self, choice: Branching, border: int) -> Alternative:
        result = Alternative()
        for way in choice.ways:
            inner = self._merged(self._heads(way.entry, border), border)
            result.ends |= inner.ends
            result.moves += (_labelled(m, way.label, way.guard) for m in inner.moves)
        if not all(move.action.sends for move in result.moves):
            clash = Clash("it chooses, and a branch begins with another's message", "", "")
            self.raw.conflicts.append(Conflict(clash, ()))
        return result

    # parallel -----------------------------------------------------------------------------

    def _interleaved(self, product: Product, border: int) -> Alternative:
        """Any branch moves; where all of them may be over, what comes after moves too."""
        join = self._join(product)
        result = Alternative(interleaved=True)
        may_join = True
        for place, part in enumerate(product.parts):
            branch = self._merged(part, join)
            may_join &= branch.ends and part != frozenset({OVER})
            for move in branch.moves:
                target = self._product(product, place, move.target, border)
                result.moves.append(replace(move, target=target, onwards=-1))
        if may_join:
            after = self._merged(self._after_join(join, border), border)
            result.moves += after.moves
            result.ends = after.ends
        result.ends |= not result.moves
        return result

    def _join(self, product: Product) -> int:
        fork = self._view.node(product.fork)
        assert isinstance(fork, Fork)
        return fork.join

    def _after_join(self, join: int, border: int) -> Heads:
        node = self._view.node(join)
        assert isinstance(node, Join)
        return self._heads(node.next, border)

    def _product(self, product: Product, place: int, part: Heads, border: int) -> Heads:
        """`product` after one of its branches moved; past the join once all are there."""
        parts = (*product.parts[:place], part, *product.parts[place + 1 :])
        join = self._join(product)
        if all(p == frozenset({join}) for p in parts):
            return self._after_join(join, border)
        return frozenset({Product(product.fork, parts)})

    # what is not known ----------------------------------------------------------------------

    def _after(
        self, heads: Heads, alternatives: dict[Head, Alternative], move: Move
    ) -> dict[Head, Decisions]:
        """For the heads after `move`, the decisions of others that led there."""
        if len(move.target) == 1:
            return {}
        before = self._decided.get(heads, {})
        result: dict[Head, Decisions] = {}
        for head, alternative in alternatives.items():
            for taken in alternative.moves:
                if taken.key != move.key or taken.onwards < 0:
                    continue
                known = before.get(head, {})
                for target, decisions in self._view.heads(taken.onwards).items():
                    result[target] = {**known, **decisions}
        return result

    def _unknown(self, heads: Heads) -> tuple[int, ...]:
        decided = list(self._decided.get(heads, {}).values())
        differing = {
            choice
            for choice in set[int]().union(*decided)
            if len({d.get(choice, -1) for d in decided}) > 1
        }
        return tuple(sorted(differing or set[int]().union(*decided), key=self._place))

    def _silent_choices(self) -> tuple[int, ...]:
        """All choices that the class does not make, where it is not known which one matters."""
        nodes = (n for n, x in enumerate(self._view.flow.nodes) if isinstance(x, Branching))
        return tuple(sorted((n for n in nodes if not self._view.is_head(n)), key=self._place))

    def _place(self, number: int) -> tuple[int, int]:
        node = self._view.node(number)
        assert isinstance(node, Branching)
        return (node.statement.span.line, node.statement.span.column)


def _labelled(move: Move, label: str, guard: Expr | None) -> Move:
    action = move.action
    guards = action.guards if guard is None else (guard, *action.guards)
    return replace(move, action=replace(action, branches=(label, *action.branches), guards=guards))


def _sorted(heads: Heads) -> list[Head]:
    """A fixed order, so that the same protocol always gives the same machine."""
    if len(heads) == 1:
        return list(heads)
    numbers = sorted(head for head in heads if isinstance(head, int))
    return [*numbers, *sorted((h for h in heads if isinstance(h, Product)), key=repr)]
