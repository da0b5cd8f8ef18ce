"""Who is named in the global graph."""

from __future__ import annotations

from collections.abc import Iterable

from .graph import Branching, Comm, Each, GlobalNode
from .instances import less
from .machine import Peer


def parties(nodes: Iterable[GlobalNode]) -> list[Peer]:
    """Every peer that the graph mentions by its own index."""
    found = list[Peer]()
    for node in nodes:
        match node:
            case Comm():
                found += (node.sender, node.receiver)
            case Branching():
                found.append(node.chooser)
            case Each():
                found += (p for role in node.offsets for p in in_rounds(node, role))
            case _:
                pass
    return [peer for peer in found if not peer.relative and not peer.register]


def in_rounds(each: Each, role: str) -> list[Peer]:
    """For each offset the instances of `role` that a round names with it, highest offset first."""
    return [
        Peer(role, less(each.start, -offset), less(each.stop, -offset))
        for offset in sorted(each.offsets[role], reverse=True)
    ]
