"""Minimising a deterministic machine by partition refinement.

Hopcroft, An n log n algorithm for minimizing states in a finite automaton, 1971, on a partial
automaton: states begin apart when they offer different steps.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import replace

from .instances import Class
from .machine import Action, Counter, Machine, Transition
from .raw import Raw

Edges = list[list[tuple[int, int]]]
"""For every state the edges that leave it: a number for the step, and the state after it."""


def minimise(raw: Raw, who: Class) -> Machine:
    """The smallest machine with the same traces; states numbered breadth first."""
    block_of = _blocks(_keyed_edges(raw), _kinds(raw))
    return _machine(raw, who, block_of)


def _key(action: Action) -> Hashable:
    """What makes two steps different. The place in the source does only where effects hang on it."""
    effects = (action.step, action.annotations) if action.annotations else ()
    message = action.message
    shape = (message.label, message.generics, message.fields)
    where = (action.sends, action.peer, action.branches, action.broadcast and action.step)
    return (where, shape, effects, action.guards, action.timing)


def _keyed_edges(raw: Raw) -> Edges:
    numbers: dict[Hashable, int] = {}

    def number(key: Hashable) -> int:
        return numbers.setdefault(key, len(numbers))

    edges = [[(number(_key(action)), to) for action, to in leaving] for leaving in raw.edges]
    for state, counter in raw.counters.items():
        edges[state] = [(number("body"), counter.body), (number("exit"), counter.exit)]
    return edges


def _kinds(raw: Raw) -> list[Hashable]:
    """For every state whether it is final and which loop it counts."""
    finals, counters = raw.finals, raw.counters
    return [(state in finals, _count(counters.get(state))) for state in range(len(raw.edges))]


def _count(counter: Counter | None) -> Hashable:
    return counter and (counter.loop, counter.enters, counter.count, counter.first)


def _blocks(edges: Edges, kinds: list[Hashable]) -> list[int]:
    """For every state the number of its block in the coarsest stable partition."""
    numbers: dict[Hashable, int] = {}
    block_of = list[int]()
    for kind, leaving in zip(kinds, edges, strict=True):
        offered = (kind, frozenset([key for key, _ in leaving]))
        block_of.append(numbers.setdefault(offered, len(numbers)))
    blocks = [set[int]() for _ in numbers]
    for state, block in enumerate(block_of):
        blocks[block].add(state)
    if len(blocks) < len(edges):
        _refine(blocks, block_of, _arriving(edges))
    return block_of


def _arriving(edges: Edges) -> Edges:
    arriving: Edges = [[] for _ in edges]
    for source, leaving in enumerate(edges):
        for key, target in leaving:
            arriving[target].append((key, source))
    return arriving


def _refine(blocks: list[set[int]], block_of: list[int], arriving: Edges) -> None:
    waiting = deque(range(len(blocks)))
    queued = set(waiting)
    while waiting:
        splitter = waiting.popleft()
        queued.discard(splitter)
        sources: dict[int, set[int]] = defaultdict(set)
        for state in blocks[splitter]:
            for key, source in arriving[state]:
                sources[key].add(source)
        for group in sources.values():
            for block, part in _split(group, blocks, block_of):
                fresh = len(blocks)
                blocks.append(part)
                for state in part:
                    block_of[state] = fresh
                # Of a block that is not waiting, the smaller half splits all that the other does.
                halved = block not in queued and len(blocks[block]) < len(part)
                touched = block if halved else fresh
                queued.add(touched)
                waiting.append(touched)


def _split(
    group: set[int], blocks: list[set[int]], block_of: list[int]
) -> list[tuple[int, set[int]]]:
    """The blocks that `group` cuts in two, each with the part taken out of it."""
    touched: dict[int, set[int]] = defaultdict(set)
    for state in group:
        touched[block_of[state]].add(state)
    cut = list[tuple[int, set[int]]]()
    for block, part in touched.items():
        if len(part) < len(blocks[block]):
            blocks[block] -= part
            cut.append((block, part))
    return cut


def _machine(raw: Raw, who: Class, block_of: list[int]) -> Machine:
    first: dict[int, int] = {}
    for state, block in enumerate(block_of):
        first.setdefault(block, state)
    numbers = {block_of[0]: 0}
    waiting = deque([first[block_of[0]]])
    transitions = list[Transition]()
    counters: dict[int, Counter] = {}

    def number(state: int) -> int:
        block = block_of[state]
        if block not in numbers:
            numbers[block] = len(numbers)
            waiting.append(first[block])
        return numbers[block]

    while waiting:
        state = waiting.popleft()
        here = numbers[block_of[state]]
        if state in raw.counters:
            counter = raw.counters[state]
            body, leave = number(counter.body), number(counter.exit)
            counters[here] = replace(counter, body=body, exit=leave)
        for action, target in raw.edges[state]:
            transitions.append(Transition(here, action, number(target)))
    finals = frozenset(numbers[block_of[s]] for s in raw.finals if block_of[s] in numbers)
    return Machine(who.role, 0, finals, tuple(transitions), who.start, who.stop, counters)
