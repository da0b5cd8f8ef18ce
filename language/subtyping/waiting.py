"""Endless runs on which something is put off for ever.

In a graph of configurations every step of either machine has to be followed up: what the
candidate sent ahead, the original must send; what the original received, the candidate must receive;
and the original must move. An endless run that does not do so goes through a cycle of edges none of
which does it, so it is enough to look at the strongly connected components of the edges that do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from ..components import components
from .game import Successor
from .search import Edge, Graph

LEADS = frozenset(("send", "take", "both"))
PUSHES = {"send": "sent", "demand": "received"}
POPS = {"match": "sent", "take": "received"}
Queue = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that has to be done again and again: `queue` emptied by one, or the original
    moved."""

    what: Literal["sent", "received", "original"]
    peer: str = ""

    def is_put_off(self, source: tuple[frozenset[Queue], Successor]) -> bool:
        """Whether it is due at the edge's source, and the edge does not do it."""
        due, successor = source
        if self.what == "original":
            return successor[0] in ("send", "take")
        queue = (self.what, self.peer)
        return queue in due and (POPS.get(successor[0]), successor[1]) != queue


@dataclass(frozen=True, slots=True)
class PutOff:
    """A duty that is put off on the cycle `edges`, which begins and ends at `node`."""

    duty: Duty
    node: int
    edges: tuple[Edge, ...]


def put_off(graph: Graph) -> PutOff | None:
    """A cycle on which a duty is put off for ever."""
    visited = range(len(graph.moves))
    everything = {
        node: [(place, there) for place, (_, there) in enumerate(graph.moves[node])]
        for node in visited
    }
    for component in _cyclic(visited, everything):
        inside = {node: _due(graph, node) for node in component}
        queues = set(chain.from_iterable(inside.values()))
        duties = [Duty("original"), *(Duty(_kind(q), q[1]) for q in sorted(queues))]
        for duty in duties:
            found = _cycle(graph, inside, duty)
            if found is not None:
                return found
    return None


def _kind(queue: Queue) -> Literal["sent", "received"]:
    return "sent" if queue[0] == "sent" else "received"


def _due(graph: Graph, node: int) -> frozenset[Queue]:
    _, _, sent, received, _ = graph.nodes[node]
    due = [("sent", peer) for peer, _ in sent]
    return frozenset(due + [("received", peer) for peer, _ in received])


def _cycle(graph: Graph, inside: dict[int, frozenset[Queue]], duty: Duty) -> PutOff | None:
    edges = {
        node: [
            (place, target)
            for place, (successor, target) in enumerate(graph.moves[node])
            if target in inside and duty.is_put_off((due, successor))
        ]
        for node, due in inside.items()
    }
    work = [list(inside)]
    while work:
        for component in _cyclic(work.pop(), edges):
            if _thin(graph, set(component), edges):
                work.append(component)
                continue
            found = _round(graph, component, edges)
            if found is not None:
                return PutOff(duty, *found)
    return None


def _thin(graph: Graph, component: set[int], edges: dict[int, list[Edge]]) -> bool:
    """Take out, of one component, edges that no endless run can use for ever: what takes from a
    queue to which nothing is added, and all of them where the candidate does not move."""
    inner = [
        graph.moves[node][place][0]
        for node in component
        for place, target in edges[node]
        if target in component
    ]
    added = {(PUSHES[s[0]], s[1]) for s in inner if s[0] in PUSHES}
    stuck = not any(s[0] in LEADS for s in inner)
    changed = False
    for node in component:
        kept = list[Edge]()
        for place, target in edges[node]:
            kind, peer, _, _ = graph.moves[node][place][0]
            futile = kind in POPS and (POPS[kind], peer) not in added
            if target in component and not futile and not stuck:
                kept.append((place, target))
            elif target in component:
                changed = True
        edges[node] = kept
    return changed


def _round(
    graph: Graph, component: list[int], edges: dict[int, list[Edge]]
) -> tuple[int, tuple[Edge, ...]] | None:
    """The shortest way around through the component's first node on which the candidate moves."""
    inside = set(component)
    for start in component:
        for place, target in edges[start]:
            if target in inside and graph.moves[start][place][0][0] in LEADS:
                back = _way(target, start, inside, edges)
                return start, ((start, place), *back)
    return None


def _way(source: int, goal: int, inside: set[int], edges: dict[int, list[Edge]]) -> list[Edge]:
    came: dict[int, Edge] = {}
    waiting = deque([source])
    while waiting and source != goal and goal not in came:
        node = waiting.popleft()
        for place, target in edges[node]:
            if target in inside and target not in came and target != source:
                came[target] = (node, place)
                waiting.append(target)
    path = list[Edge]()
    while goal != source:
        path.append(came[goal])
        goal = came[goal][0]
    return path[::-1]


def _cyclic(nodes: Iterable[int], edges: dict[int, list[Edge]]) -> Iterator[list[int]]:
    """The components of `edges` that hold a cycle; a node without an entry is left out."""

    def following(node: int) -> list[int]:
        return [target for _, target in edges.get(node, ())]

    for component in components(nodes, following):
        if len(component) > 1 or component[0] in following(component[0]):
            yield component
