"""One process's connection in a simulation, as its network sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context
from typing import TYPE_CHECKING

from ..contract import Deliver, Lost
from ..memory.connection import MemorySubscription

if TYPE_CHECKING:
    from .connection import SimBroker


class SimSubscription(MemorySubscription):
    """`due` is when the last message on its way to it arrives."""

    def __init__(
        self, connection: SimBroker, pattern: str, deliver: Deliver, lost: Lost | None
    ) -> None:
        super().__init__(connection, pattern, deliver)
        self.lost = lost
        self.due = 0.0


class Link:
    """`allowed` says where it may publish, as a server's permissions do; `context` is that of its
    process, in which all its callbacks run. `breaks` counts how often it was cut; times are those
    of the loop."""

    def __init__(
        self, name: str, roles: Iterable[str], context: Context, allowed: Callable[[str], bool]
    ) -> None:
        self.name = name
        self.roles = frozenset(roles)
        self.context = context
        self.allowed = allowed
        self.dead = False
        self.breaks = 0
        self.cut_until = 0.0
        self.noticed_at = 0.0
        self.silent_until = 0.0
        self.due = 0.0
        self.loses_answer = False
        self.failing: dict[str, float] = {}
        """Streams that cannot be appended to, and until when."""
        self.said: list[tuple[str, bytes]] = []
        self.subscriptions: dict[SimSubscription, None] = {}
