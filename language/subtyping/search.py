"""Visiting the configurations breadth first, and what the graph of them says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..system import Step
from .answer import Move
from .game import START, Configuration, Game, Queues, Successor, Wrong
from .words import length

Reached = tuple[Successor, int]
Edge = tuple[int, int]
"""The source's number and the place among its successors."""


@dataclass(slots=True)
class Graph:
    """The configurations by number, their successors as far as they were visited, and for each
    the edge it was first reached by. `wrong` is the first certain refutation, or else the first
    uncertain one; `complete` when nothing was left to visit."""

    numbers: dict[Configuration, int] = field(default_factory=lambda: {START: 0})
    nodes: list[Configuration] = field(default_factory=lambda: [START])
    moves: list[list[Reached]] = field(default_factory=list[list[Reached]])
    came: list[Edge] = field(default_factory=lambda: [(-1, -1)])
    wrong: Wrong | None = None
    wrong_at: int = -1
    complete: bool = False

    def trace(self, node: int) -> tuple[Move, ...]:
        """How the configuration was first reached."""
        edges = list[Successor]()
        while node:
            node, place = self.came[node]
            edges.append(self.moves[node][place][0])
        return tuple(move for edge in reversed(edges) for move in told(edge))


def told(successor: Successor) -> list[Move]:
    """The steps that a successor stands for, the original's before the candidate's."""
    kind, peer, label, _ = successor
    match kind:
        case "send":
            return [Move("candidate", Step(True, peer, label))]
        case "match":
            return [Move("original", Step(True, peer, label))]
        case "demand":
            return [Move("original", Step(False, peer, label))]
        case "take":
            return [Move("candidate", Step(False, peer, label))]
        case "both":
            step = Step(False, peer, label)
            return [Move("original", step), Move("candidate", step)]


def search(game: Game, limit: int, letters: int, *, refute: bool) -> Graph:
    """Visit at most `limit` configurations whose queues have at most `letters` letters together.

    With `refute` it goes on after an uncertain problem to look for a certain one; without it, it
    stops at the first problem of either kind, because nothing can be established any more.
    """
    graph = Graph()
    waiting = deque([0])
    stored = 0
    while waiting:
        node = waiting.popleft()
        found = game.moves(graph.nodes[node])
        graph.moves.append([])
        if isinstance(found, Wrong):
            if graph.wrong is None or found.certain:
                graph.wrong, graph.wrong_at = found, node
            if found.certain or not refute:
                return graph
            continue
        for successor in found:
            stored += _visit(graph, node, successor, waiting)
        if len(graph.nodes) > limit or stored > letters:
            return graph
    graph.complete = graph.wrong is None
    return graph


def _visit(graph: Graph, node: int, successor: Successor, waiting: deque[int]) -> int:
    there = successor[3]
    number = graph.numbers.setdefault(there, len(graph.nodes))
    graph.moves[node].append((successor, number))
    if number < len(graph.nodes):
        return 0
    graph.came.append((node, len(graph.moves[node]) - 1))
    graph.nodes.append(there)
    waiting.append(number)
    return _size(there[2]) + _size(there[3])


def _size(queues: Queues) -> int:
    return sum(length(word) for _, word in queues)
