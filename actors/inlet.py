"""The receiving end of a channel: what one sender has said to one instance, in order.

A sender speaks to an instance on two lanes: one to it alone and one to its whole family
(`all`). Each is numbered by itself; what arrives on either goes into one queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..broker.frame import Message

WINDOW = 1024
"""How many messages of a lane may be on their way or unread; the sender waits beyond it."""

QUARTER = WINDOW // 4

Entry = tuple["Lane", Message]


class Lane:
    """How far the numbering of one lane has come: arrived, read, and told to the sender."""

    __slots__ = ("inlet", "last", "read", "to_all", "told")

    def __init__(self, inlet: Inlet, *, to_all: bool) -> None:
        self.inlet = inlet
        self.to_all = to_all
        self.last = 0
        self.read = 0
        self.told = 0


class Inlet:
    """One sender as seen by one instance. `acknowledge` is called when a lane owes a word."""

    __slots__ = ("acknowledge", "alone", "index", "name", "queue", "role", "to_all", "token")

    def __init__(
        self, role: str, index: int, name: str, acknowledge: Callable[[Lane], None]
    ) -> None:
        self.role = role
        self.index = index
        self.name = name
        self.acknowledge = acknowledge
        self.queue: deque[Entry] = deque()
        self.alone = Lane(self, to_all=False)
        self.to_all = Lane(self, to_all=True)
        self.token: bytes | None = None
        """The capability token that the sender last showed."""

    def take(self) -> Message:
        """The oldest message, which counts as read: room for the sender to send another."""
        lane, message = self.queue.popleft()
        lane.read = message.sequence
        if message.sequence - lane.told >= QUARTER:
            lane.told = message.sequence
            self.acknowledge(lane)
        return message

    def skip(self, lane: Lane, number: int) -> None:
        """Count a message to others as read."""
        lane.read = number
        if number - lane.told >= QUARTER:
            lane.told = number
            self.acknowledge(lane)
