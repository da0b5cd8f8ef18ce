"""The subset construction: from a class's view of the graph to a deterministic local machine.

A state is the set of heads where the class can be, given what it has seen. States whose
alternatives do not merge are reported as conflicts. They are followed as if the class had been
told of the outermost choice that it does not know, so that one pass finds what comes later too.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections import deque
from dataclasses import replace

from .graph import Branching, Comm, Count, Fork
from .machine import Counter
from .merge import OWED, ROUND, SILENT, Alternative, Clash, Key, Move, distinct, merge
from .raw import Raw, TooLarge
from .taken import Taken
from .view import OVER, Decisions, Head, Heads, Product, View, in_order, is_stuck, latest

STATE_LIMIT = 20_000
"""The most states beyond those that the graph has nodes for: an explosion is refused soon."""

HEADS_A_STATE = 3
"""At so many heads in the average state the limit is reached sooner, as the work is."""

MANY_HEADS = 64
"""From so many on it is worth a look whether they merge, before those after them are found."""

SILENT_CHOICES = 50
"""The most choices in a row that a role can make without sending anything in between."""

ROUNDS_WRITTEN = 1000
"""The most rounds of one loop that are written out."""

OPEN_ROUNDS_WRITTEN = 16
"""The most of a loop whose count is open. They never run out, so this only helps where the
alternatives differ within a few rounds."""


Came = dict[Head, Decisions] | tuple[Heads, Key]
"""How the class came to a state first: the decisions that led to each head, or the state before
it and the step from there."""


class Determinisation:
    """One run of the construction; `raw` is the result.

    Raises `TooLarge`. With `patience` it stops instead where a conflict has been found: who is
    told what it does not know may need far fewer states.
    """

    def __init__(self, view: View, *, patience: bool = False) -> None:
        self._view = view
        self._numbers: dict[Heads, int] = {}
        self._came: dict[Heads, Came] = {}
        self._deciding = set[int]()
        self._joining = set[int]()
        self._peeling = list[object]()
        self._written = Counts[int]()
        """How many rounds of a loop have been written out, by the loop's site."""
        self._waiting: deque[Heads] = deque()
        self._size = 0
        self._limit = STATE_LIMIT + 2 * len(view.flow.nodes)
        self.raw = Raw()
        try:
            self._explore()
        except TooLarge:
            if not (patience and self.raw.conflicts):
                raise

    # states -----------------------------------------------------------------------------

    def _explore(self) -> None:
        start = self._view.heads(self._view.flow.entry)
        self._state(frozenset(start), start)
        while self._waiting:
            self._expand(self._waiting.popleft())

    def _state(self, heads: Heads, decided: Came) -> int:
        number = self._numbers.get(heads)
        if number is None:
            number = self._numbers[heads] = len(self.raw.edges)
            self._size += len(heads)
            if number >= self._limit or self._size >= HEADS_A_STATE * self._limit:
                raise TooLarge
            self.raw.edges.append([])
            if len(heads) > 1:
                self._came[heads] = decided
            self._waiting.append(heads)
        return number

    def _expand(self, heads: Heads) -> None:
        number = self._numbers[heads]
        if self._straight(number, heads) or self._counted(number, heads):
            return
        clash = self._glanced(heads) if len(heads) >= MANY_HEADS else None
        if clash is not None:
            self._conflict(heads, clash)
            return
        merged = merge([self._alternative(head) for head in in_order(heads)], self._view.keys)
        if merged.clash is not None:
            self._conflict(heads, merged.clash)
            return
        if merged.ends or not merged.moves:
            self.raw.finals.add(number)
        for move in merged.moves:
            state = self._state(move.target, (heads, move.key))
            self.raw.edges[number].append((move.action, state))

    def _glanced(self, heads: Heads) -> Clash | None:
        """Whether the messages at many heads already do not merge, whatever comes after them."""
        found = list[Alternative]()
        for head in in_order(heads):
            node = self._view.node(head) if isinstance(head, int) else None
            if isinstance(node, Comm):
                move = Move(self._view.action(node), frozenset(), node.next)
                found.append(Alternative([move]))
            elif head == OVER:
                found.append(Alternative(ends=True))
        return merge(found, self._view.keys).clash if found else None

    def _straight(self, number: int, heads: Heads) -> bool:
        """Most states: one message, and nothing to merge."""
        if len(heads) != 1:
            return False
        (head,) = heads
        node = self._view.node(head) if isinstance(head, int) else None
        if not isinstance(node, Comm):
            return False
        after = self._view.heads(node.next)
        self.raw.edges[number].append(
            (self._view.action(node), self._state(frozenset(after), after))
        )
        return True

    def _conflict(self, heads: Heads, clash: Clash) -> None:
        """Note it, with the choices that matter; inside `parallel` these may be any."""
        choices = self._differing(self._decided(heads)) + clash.choices
        if clash.own is None:
            choices += self._view.unsettled() if choices else self._telling_choices()
        self.raw.conflicts.append(replace(clash, choices=choices))
        if choices and all(isinstance(head, int) for head in heads):
            self._as_if_told(choices[0])

    def _as_if_told(self, number: int) -> None:
        """Go on from each branch alone, so that one pass finds what comes later too."""
        choice = self._view.node(number)
        assert isinstance(choice, Branching)
        for way in choice.ways:
            heads = self._view.heads(way.entry)
            self._state(frozenset(heads), heads)

    def _counted(self, number: int, heads: Heads) -> bool:
        """Pass the first counted loop that stands at the front of this state, if there is one."""
        passed = self._pass(heads, -1)
        if passed is None:
            return False
        count, body, leave = passed
        self.raw.counters[number] = Counter(
            count.loop,
            count.enters,
            count.count,
            self._state(frozenset(body), body),
            self._state(frozenset(leave), leave),
            count.first,
        )
        return True

    def _pass(
        self, heads: Heads, border: int
    ) -> tuple[Count, dict[Head, Decisions], dict[Head, Decisions]] | None:
        if len(heads) != 1:
            return None
        (head,) = heads
        if isinstance(head, int):
            node = self._view.node(head)
            if not isinstance(node, Count) or head == border:
                return None
            view = self._view
            return node, view.heads(node.body, border), view.heads(node.exit, border)
        join = self._join(head)
        for place, part in enumerate(head.parts):
            passed = self._pass(part, join)
            if passed is not None:
                count, body, leave = passed
                into = self._product(head, place, frozenset(body), border)
                onwards = self._product(head, place, frozenset(leave), border)
                return count, {key: {} for key in into}, {key: {} for key in onwards}
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
                assert isinstance(head, int)
                return self._own_choice(head, border)
            case Count():
                return self._peeled(head, node, border)
            case _:
                return Alternative(ends=True)

    def _heads(self, number: int, border: int = -1) -> Heads:
        return frozenset(self._view.heads(number, border))

    def _merged(self, decided: dict[Head, Decisions], border: int) -> Alternative:
        """All alternatives at some heads as one."""
        alternatives = [self._alternative(head, border) for head in in_order(frozenset(decided))]
        if len(alternatives) == 1:
            return alternatives[0]
        merged = merge(alternatives, self._view.keys)
        if merged.clash is not None:
            choices = self._differing(decided) + merged.clash.choices
            merged.clash = replace(merged.clash, choices=choices)
        return merged

    def _peeled(self, number: int, count: Count, border: int) -> Alternative:
        """A counted loop that is one of several continuations, its first round written out.

        A role that may take no part in a round would lose count.
        """
        self._written[id(count.site)] += 1
        most = ROUNDS_WRITTEN if isinstance(count.count, int) else OPEN_ROUNDS_WRITTEN
        too_many = self._written[id(count.site)] > most
        if not count.enters or too_many or count.site in self._peeling:
            return Alternative(clash=Clash("it would lose count of the rounds of a loop"))
        self._peeling.append(count.site)
        result = self._merged(self._view.heads(self._view.flow.peel(number), border), border)
        self._peeling.pop()
        return result

    def _own_choice(self, choice: int, border: int) -> Alternative:
        """The first steps of all branches, through choices that directly begin a branch."""
        if choice in self._deciding or len(self._deciding) >= SILENT_CHOICES:
            return Alternative(clash=replace(SILENT, own=choice))
        self._deciding.add(choice)
        result = self._flattened(choice, border)
        self._deciding.remove(choice)
        twins = (move for move in distinct(result.moves) if isinstance(move, Clash))
        clash = result.clash or next(twins, None)
        if clash is not None and clash.own is None and not clash.choices:
            clash = replace(clash, own=choice)
        result.clash = clash
        return result

    def _flattened(self, choice: int, border: int) -> Alternative:
        result = Alternative()
        seen = {choice}
        waiting = [(choice, Taken())]
        while waiting:
            number, before = waiting.pop()
            node = self._view.node(number)
            assert isinstance(node, Branching)
            for way in node.ways:
                heads = self._view.heads(way.entry, border)
                taken = before.then(node, way)
                inner = self._nested(frozenset(heads), border)
                if inner is None:
                    self._first_steps(result, heads, border, taken, looping=node.looping)
                elif inner in seen:
                    result.clash = SILENT
                else:
                    seen.add(inner)
                    waiting.append((inner, taken))
        return result

    def _nested(self, heads: Heads, border: int) -> int | None:
        """The own choice that is all there is at `heads`."""
        if len(heads) != 1:
            return None
        (head,) = heads
        if not isinstance(head, int) or head == border:
            return None
        return head if isinstance(self._view.node(head), Branching) else None

    def _first_steps(
        self,
        result: Alternative,
        heads: dict[Head, Decisions],
        border: int,
        taken: Taken,
        *,
        looping: bool,
    ) -> None:
        inner = self._merged(heads, border)
        result.ends |= inner.ends
        result.clash = result.clash or inner.clash
        for move in inner.moves:
            action = taken.beginning(move.action)
            result.moves.append(Move(action, move.target, move.onwards))
            if not action.sends:
                # It stops a loop that it decides by going on to what another sends.
                result.interleaved = True
                result.clash = result.clash or (None if looping else SILENT)

    # parallel -----------------------------------------------------------------------------

    def _interleaved(self, product: Product, border: int) -> Alternative:
        """Any branch moves; where all of them may be over, what comes after moves too."""
        join = self._join(product)
        result = Alternative(interleaved=True)
        may_join, sure = True, True
        for place, part in enumerate(product.parts):
            branch = self._merged({head: {} for head in part}, join)
            result.clash = result.clash or branch.clash
            stuck = [is_stuck(head) for head in part]
            may_join &= branch.ends and not all(stuck)
            sure &= not any(stuck)
            for move in branch.moves:
                target = self._product(product, place, move.target, border)
                result.moves.append(Move(move.action, target))
        if may_join and join in self._joining:
            result.clash = result.clash or ROUND
        elif may_join:
            self._joining.add(join)
            after = self._merged(self._view.beyond(join, border), border)
            self._joining.remove(join)
            result.clash = (
                result.clash or after.clash or (OWED if after.moves and not sure else None)
            )
            result.moves += after.moves
            result.ends = after.ends
        result.ends |= not result.moves
        return result

    def _join(self, product: Product) -> int:
        fork = self._view.node(product.fork)
        assert isinstance(fork, Fork)
        return fork.join

    def _product(self, product: Product, place: int, part: Heads, border: int) -> Heads:
        """`product` after one of its branches moved; past the join once all are there."""
        parts = (*product.parts[:place], part, *product.parts[place + 1 :])
        join = self._join(product)
        if all(p == frozenset({join}) for p in parts):
            return frozenset(self._view.beyond(join, border))
        return frozenset({Product(product.fork, parts)})

    # what is not known ----------------------------------------------------------------------

    def _decided(self, heads: Heads) -> dict[Head, Decisions]:
        """For each head the decisions of others that led there, followed up from where they are
        known: it is only where something does not merge that they matter."""
        way = list[tuple[Heads, tuple[Heads, Key]]]()
        came = self._came.get(heads, {})
        while isinstance(came, tuple):
            way.append((heads, came))
            heads = came[0]
            came = self._came.get(heads, {})
        for target, (source, key) in reversed(way):
            came = self._came[target] = self._after(source, key, came)
        return came

    def _after(
        self, heads: Heads, key: Key, before: dict[Head, Decisions]
    ) -> dict[Head, Decisions]:
        """For the heads after a step, the decisions of others that led there."""
        result: dict[Head, Decisions] = {}
        written = self._written.copy()
        alternatives = {head: self._alternative(head) for head in in_order(heads)}
        self._written = written
        for head, alternative in alternatives.items():
            for taken in alternative.moves:
                if taken.key != key or taken.onwards < 0:
                    continue
                known = before.get(head, {})
                for target, decisions in self._view.heads(taken.onwards).items():
                    result[target] = {**known, **decisions}
        return latest(result)

    def _differing(self, decided: dict[Head, Decisions]) -> tuple[int, ...]:
        """The choices that led to one head and not to another."""
        decisions = list({id(way): way for way in decided.values()}.values())
        all_choices = set[int]().union(*decisions)
        differing = {c for c in all_choices if len({d.get(c, -1) for d in decisions}) > 1}
        return tuple(sorted(differing or all_choices, key=self._place))

    def _telling_choices(self) -> tuple[int, ...]:
        """The choices of others whose branches begin differently for the class."""
        view = self._view
        found = list[int]()
        for number, node in enumerate(view.flow.nodes):
            if not isinstance(node, Branching) or view.chooses(node):
                continue
            if len({frozenset(view.heads(way.entry)) for way in node.ways}) > 1:
                found.append(number)
        return tuple(sorted(found, key=self._place))

    def _place(self, number: int) -> tuple[int, int]:
        node = self._view.node(number)
        assert isinstance(node, Branching)
        return (node.statement.span.line, node.statement.span.column)
