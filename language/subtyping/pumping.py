"""Loops that can be gone round for ever while queues grow.

If two configurations of one run differ only in queues that have become longer, that were not
empty before, and that nothing was taken from on the way, then the way can be gone again from the
second, because what is possible depends on the states and the heads of the queues alone. What stands in
such a queue is then never taken out.
"""

from __future__ import annotations

from .game import Configuration, Queues
from .search import Edge, Graph
from .waiting import LEADS, POPS, Duty, PutOff

REACH = 300
"""How many steps back another configuration is looked for."""


def pumped(graph: Graph) -> PutOff | None:
    """A loop on which a queue grows from which nothing is ever taken.

    Looks along the paths by which configurations were first reached, so it finds some such
    loops and not all.
    """
    for node in range(1, len(graph.nodes)):
        found = _behind(graph, node)
        if found is not None:
            return found
    return None


def _behind(graph: Graph, node: int) -> PutOff | None:
    now = graph.nodes[node]
    taken = set[tuple[str, str]]()
    led = False
    path = list[Edge]()
    while len(path) < REACH:
        edge = graph.came[path[-1][0] if path else node]
        if edge[0] < 0:
            return None
        path.append(edge)
        kind, peer, _, _ = graph.moves[edge[0]][edge[1]][0]
        led = led or kind in LEADS
        if kind in POPS:
            taken.add((POPS[kind], peer))
        before = graph.nodes[edge[0]]
        if led and before[:2] == now[:2] and before[4] == now[4]:
            grown = _grown(before, now)
            if grown and taken.isdisjoint(grown):
                what, peer = min(grown)
                duty = Duty("sent" if what == "sent" else "received", peer)
                return PutOff(duty, edge[0], tuple(reversed(path)))
    return None


def _grown(before: Configuration, now: Configuration) -> set[tuple[str, str]] | None:
    """The queues that are longer now, if every queue is the same or was not empty and is longer."""
    sent, received = _longer(before[2], now[2]), _longer(before[3], now[3])
    if sent is None or received is None:
        return None
    return {("sent", peer) for peer in sent} | {("received", peer) for peer in received}


def _longer(before: Queues, now: Queues) -> list[str] | None:
    if len(before) != len(now):
        return None
    grown = list[str]()
    for (peer, word), (other, more) in zip(before, now, strict=True):
        if not (isinstance(word, tuple) and isinstance(more, tuple)) or peer != other:
            return None
        if more[: len(word)] != word:
            return None
        if len(more) > len(word):
            grown.append(peer)
    return grown
