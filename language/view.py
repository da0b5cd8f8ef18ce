"""One class's view of the global graph: which nodes concern it, and what is silent.

A choice at another role is silent: to the class it is only that several continuations are
possible. What tells them apart later is the business of `merge`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .flow import Flow
from .graph import Branching, Comm, Count, Each, End, Fork, GlobalNode, Goto, Join, successors
from .instances import Class
from .machine import Action
from .moments import Moments
from .parties import in_rounds

OVER = 0
"""The head of a role that never acts again: the number of the graph's end."""

Decisions = dict[int, int]
"""For choices of others, by node number, the branch that was silently taken."""

DECISIONS_KEPT = 64
"""The most that are kept on one silent way, the outermost first: it is these that a role is told of.
Without a limit, what is kept grows with the square of the choices in a row."""


@dataclass(frozen=True, slots=True)
class Product:
    """Inside `parallel`: where each of the branches that concern the class stands."""

    fork: int
    parts: tuple[frozenset[Head], ...]


Head = int | Product
Heads = frozenset[Head]


def is_stuck(head: Head) -> bool:
    """Whether the class never comes to the end of the branch of `parallel` that it is in."""
    if isinstance(head, Product):
        return any(all(is_stuck(inner) for inner in part) for part in head.parts)
    return head == OVER


def latest(decided: dict[Head, Decisions]) -> dict[Head, Decisions]:
    """Of very many decisions those that still make a difference, of these the latest."""
    ways = list(decided.values())
    if all(len(way) <= DECISIONS_KEPT for way in ways):
        return decided
    shared = set(ways[0].items()).intersection(*(way.items() for way in ways[1:]))
    return {
        head: dict([item for item in way.items() if item not in shared][-DECISIONS_KEPT:])
        for head, way in decided.items()
    }


def in_order(heads: Heads) -> list[Head]:
    """A fixed order, so that the same protocol always gives the same machine."""
    if len(heads) == 1:
        return list(heads)
    numbers = sorted([head for head in heads if isinstance(head, int)])
    if len(numbers) == len(heads):
        return list(numbers)
    return [*numbers, *sorted((h for h in heads if isinstance(h, Product)), key=repr)]


class View:
    """The graph as the instances of `who` see it; `keys` are the annotation keys of extensions."""

    def __init__(self, flow: Flow, who: Class, keys: Collection[str] = ()) -> None:
        self.flow = flow
        self.who = who
        self.keys = keys
        self._nodes = flow.nodes
        self._covers = flow.instances.covers
        self._single = who.start is None
        self._live = set[int]()
        self._before: dict[int, list[int]] = {}
        self._lanes: dict[int, tuple[int, set[int]]] = {}
        self._known = 0
        self._closures: dict[tuple[int, int], dict[Head, Decisions]] = {}
        self._concerned: dict[int, bool] = {}
        self._entries: dict[int, tuple[int, ...]] = {}
        self._moments = Moments(self)

    def node(self, number: int) -> GlobalNode:
        return self._nodes[number]

    # which nodes are heads --------------------------------------------------------------

    def sends(self, comm: Comm) -> bool:
        """Whether the class sends in `comm`. The one instance that gathers from a family it
        belongs to does not send to itself."""
        if self._single:
            return comm.sender.role == self.who.role
        if not comm.sends or not self._covers(comm.sender, self.who):
            return False
        alone = not comm.receiver.is_collective
        return not (alone and self._covers(comm.receiver, self.who))

    def receives(self, comm: Comm) -> bool:
        """Whether the class receives in `comm`; see `sends`."""
        if self._single:
            return comm.receiver.role == self.who.role
        if not comm.receives or not self._covers(comm.receiver, self.who):
            return False
        alone = not comm.sender.is_collective
        return not (alone and self._covers(comm.sender, self.who))

    def chooses(self, choice: Branching) -> bool:
        return self._covers(choice.chooser, self.who)

    def is_head(self, number: int) -> bool:
        """Whether the class acts, decides, counts or joins at this node."""
        match self._nodes[number]:
            case Comm() as comm:
                return self.sends(comm) or self.receives(comm)
            case Branching() as choice:
                return self.chooses(choice)
            case Count() as count:
                return self._counts(number, count)
            case Fork() as fork:
                return len(self.entries(number, fork)) > 1
            case Join() | Goto() | Each():
                return False
            case End():
                return True

    def _counts(self, number: int, count: Count) -> bool:
        if number not in self._concerned:
            self._concerned[number] = self._acts_within(count.body, {count.exit})
        return self._concerned[number]

    def entries(self, number: int, fork: Fork) -> tuple[int, ...]:
        """The branches of `fork` in which the class takes part."""
        if number not in self._entries:
            taking_part = (e for e in fork.entries if self._acts_within(e, {fork.join}))
            self._entries[number] = tuple(taking_part)
        return self._entries[number]

    def _acts_within(self, entry: int, borders: set[int]) -> bool:
        seen = set(borders)
        waiting = [entry]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            node = self.node(number)
            if isinstance(node, Comm) and (self.sends(node) or self.receives(node)):
                return True
            waiting.extend(self.silent(number) if isinstance(node, Each) else successors(node))
            if isinstance(node, Fork):
                waiting.append(node.join)
        return False

    # silence ----------------------------------------------------------------------------

    def silent(self, number: int) -> tuple[int, ...]:
        """Where a node that is not a head silently leads."""
        match self.node(number):
            case Count() as count if self.flow.staying.in_rounds(count):
                return (count.body,) if count.enters else (count.body, count.exit)
            case Count() as count:
                return (count.exit,)
            case Fork() as fork:
                return self.entries(number, fork) or self._past(fork)
            case Each() as each:
                return (self._rounds(number, each),)
            case Join() if self.follows(number) is False:
                return ()
            case node:
                return successors(node)

    def _past(self, fork: Fork) -> tuple[int, ...]:
        """Where a `parallel` silently leads in which the class has no part: through what may stay there."""
        return self.flow.staying.in_branches(fork.entries, fork.join) or (fork.join,)

    def follows(self, join: int) -> bool | None:
        """Whether a class that has done its part of a `parallel` comes to what follows. One of the other
        branches may never come to the `join` (None), or it never does (False)."""
        if not self.flow.endless:
            return True
        staying = self._staying(join)
        if not staying:
            return True
        return False if self.flow.staying.never_comes(staying[0], join) else None

    def _staying(self, join: int) -> tuple[int, ...]:
        """Those branches of others, beside ones of the class's own, that may never come to the `join`."""
        number = self.flow.forks[join]
        fork = self._nodes[number]
        assert isinstance(fork, Fork)
        own = self.entries(number, fork)
        others = [entry for entry in fork.entries if entry not in own]
        return self.flow.staying.in_branches(others, join) if own else ()

    def unsettled(self) -> tuple[int, ...]:
        """The choices of others on which it hangs whether the class comes to what follows a `parallel`."""
        if not self.flow.endless:
            return ()
        joins = [join for join in self.flow.forks if self.follows(join) is None]
        entries = [(entry, join) for join in joins for entry in self._staying(join)]
        settling = self.flow.staying.settling
        return tuple([n for ends in entries for n in settling(*ends)])

    def beyond(self, join: int, border: int) -> dict[Head, Decisions]:
        """The heads after a `parallel` of which the class has done its part."""
        node = self._nodes[join]
        assert isinstance(node, Join)
        follows = self.follows(join)
        heads = {} if follows is False else self.heads(node.next, border)
        return heads if follows else {**heads, OVER: {}}

    def _rounds(self, number: int, each: Each) -> int:
        """The rounds of a `foreach` that this instance is in, or all of them as a loop."""
        if self.who.role not in each.offsets:
            return each.loop
        named = zip(
            sorted(each.offsets[self.who.role], reverse=True),
            in_rounds(each, self.who.role),
            strict=True,
        )
        active = tuple(offset for offset, peer in named if self._covers(peer, self.who))
        return self.flow.rounds(number, active) if active else each.exit

    def heads(self, start: int, border: int = -1) -> dict[Head, Decisions]:
        """The heads that can be reached silently from `start`, and by which decisions.

        `border` is the join of the parallel branch we are in, which is a head there. A path on
        which the class never acts again leads to `OVER`.
        """
        key = (start, border)
        found = self._closures.get(key)
        if found is None:
            found = self._closures[key] = self._closure(start, border)
        return found

    def _closure(self, start: int, border: int) -> dict[Head, Decisions]:
        start = self._past_others(start)
        if self._single and isinstance(self._nodes[start], Comm):
            return {start: {}}
        if start == border or self.is_head(start):
            return {self._entered(start, border): {}}
        found: dict[Head, Decisions] = {}
        seen = {start}
        waiting = self._onwards(start, {}, found, border)
        while waiting:
            number, decisions = waiting.pop()
            number = self._past_others(number)
            if number in seen:
                continue
            seen.add(number)
            if self._single and isinstance(self._nodes[number], Comm):
                found.setdefault(number, decisions)
            elif number == border or self.is_head(number):
                found.setdefault(self._entered(number, border), decisions)
            else:
                waiting.extend(self._onwards(number, decisions, found, border))
        return found or {OVER: {}}

    def _past_others(self, number: int) -> int:
        """The first node from here on that is not a message between others: if it is a message, one of
        ours, unless the role is a family, which may have no part in it."""
        nodes, role = self._nodes, self.who.role
        node = nodes[number]
        while isinstance(node, Comm) and node.sender.role != role != node.receiver.role:
            number = node.next
            node = nodes[number]
        return number

    def _entered(self, number: int, border: int) -> Head:
        """The head at a node: `parallel` is entered, all else stands for itself."""
        node = self._nodes[number]
        if number == border or not isinstance(node, Fork):
            return number
        entries = self.entries(number, node)
        return Product(number, tuple(frozenset(self.heads(e, node.join)) for e in entries))

    def _onwards(
        self, number: int, decisions: Decisions, found: dict[Head, Decisions], border: int
    ) -> list[tuple[int, Decisions]]:
        node = self._nodes[number]
        if not isinstance(node, Branching):
            if isinstance(node, Join) and self.follows(number) is None:
                found.setdefault(OVER, decisions)
            return [(n, decisions) for n in self.silent(number)]
        onwards: list[tuple[int, Decisions]] = []
        kept = len(decisions) < DECISIONS_KEPT
        for branch in range(len(node.ways) - 1, -1, -1):
            entry = node.ways[branch].entry
            taken = {**decisions, number: branch} if kept else decisions
            if self._is_live(entry, border):
                onwards.append((entry, taken))
            else:
                found.setdefault(OVER, taken)
        return onwards

    def _is_live(self, number: int, border: int) -> bool:
        """Whether a head can be reached; a silent loop without a way out has none. In a branch of
        `parallel` its join is one."""
        if not self.flow.cyclic:
            return True
        if self._known < len(self._nodes):
            self._see_what_is_new()
        return number in self._live or (border >= 0 and number in self._before_join(border))

    def _see_what_is_new(self) -> None:
        """Looking at a `foreach`, or writing a round of a loop out, makes the graph grow."""
        waiting = list[int]()
        while self._known < len(self._nodes):
            number = self._known
            self._known += 1
            if self.is_head(number):
                waiting.append(number)
                continue
            for after in self.silent(number):
                self._before.setdefault(after, []).append(number)
                if after in self._live:
                    waiting.append(number)
        self._reach(waiting, self._live)

    def _before_join(self, join: int) -> set[int]:
        """The nodes inside a `parallel` from which its join can be reached; its fork is a head."""
        found = self._lanes.get(join)
        if found is None or found[0] < self._known:
            found = self._lanes[join] = (self._known, set())
            self._reach([join], found[1])
        return found[1]

    def _reach(self, ends: list[int], found: set[int]) -> None:
        """Add to `found` all from which one of `ends` can be reached silently."""
        found.update(ends)
        waiting = list(ends)
        while waiting:
            for number in self._before.get(waiting.pop(), ()):
                if number not in found:
                    found.add(number)
                    waiting.append(number)

    # actions ----------------------------------------------------------------------------

    def action(self, comm: Comm) -> Action:
        """What the class does at `comm`."""
        sends = self.sends(comm)
        said = comm.statement
        return Action(
            sends,
            comm.receiver if sends else comm.sender,
            said.message,
            step=comm.step,
            annotations=said.sender_annotations + said.annotations,
            receiver_annotations=said.receiver_annotations,
            selection=said.selection,
            broadcast=comm.broadcast,
            timing=self._moments.of(comm) if self.flow.times else None,
        )
