"""Warnings before something runs full: each said once, when four fifths of it are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..effects.flow.budget import Charged
from .events import LimitNear
from .mailbox.inlet import WINDOW, Inlet

NEAR = 0.8

LINGERING = 1.0
"""Seconds that a mailbox must have been nearly full: a burst alone fills it for a moment."""


class Limits:
    """What one session has said already. `tell` gets each `LimitNear`."""

    __slots__ = ("_said", "_session", "_tell")

    def __init__(self, session: str, tell: Callable[[LimitNear], None]) -> None:
        self._session = session
        self._tell = tell
        self._said: dict[tuple[str, str, int], None] = {}

    def charged(self, role: str, charges: Iterable[Charged]) -> None:
        """A message of `role` was charged; `level` is what it left of each budget."""
        for charge in charges:
            level = charge.level
            if level.spent >= NEAR * level.limit:
                kind, _, name = charge.counter.partition(".")
                kind = "budget" if kind == "flow" else "leakage"
                self.near(kind, name, role, level.spent, level.limit, epoch=level.epoch)

    def mailbox(self, instance: str, inlet: Inlet) -> None:
        """`instance` reads more slowly than somebody sends to it."""
        name = f"{instance} from {inlet.name}"
        self.near("mailbox", name, instance, inlet.unread, WINDOW)

    def near(
        self, limit: str, name: str, role: str, used: int, allowed: int, *, epoch: int = 0
    ) -> None:
        if (limit, name, epoch) not in self._said:
            self._said[limit, name, epoch] = None
            self._tell(LimitNear(self._session, limit, name, role, used, allowed))
