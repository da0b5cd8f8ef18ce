"""The hubs of this process by name."""

from __future__ import annotations

from .connection import MemoryBroker
from .hub import Hub

_hubs: dict[str, Hub] = {}


def join(name: str) -> MemoryBroker:
    """A connection to the hub `name`, made when the first one comes and dropped, with all that
    it holds, when the last one closes. An empty name is a hub of its own each time."""
    hub = _hubs.setdefault(name, Hub(name)) if name else Hub(name)
    hub.connections += 1

    def leave() -> None:
        hub.connections -= 1
        if not hub.connections and _hubs.get(name) is hub:
            del _hubs[name]

    return MemoryBroker(hub, leave)
