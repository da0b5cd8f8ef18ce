"""The sending end of a channel, and the outbox with what a tick of the loop has gathered.

All messages that one channel sends in one turn of the event loop leave in one frame. A lone
message waits for nothing but the end of the turn.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import takewhile

import msgspec

from ...broker.errors import PayloadTooLarge
from ...broker.frame import Message, Parts
from .credit import Credit
from .inlet import BYTES, WINDOW
from .turn import Soon

FRAME_BYTES = 64 * 1024
"""A frame is closed when it reaches about this; larger payloads travel alone."""

ENVELOPE = 64
"""What a message takes in a frame besides its payload, at most, but for long labels. It also keeps a
frame to fewer messages than it may have."""


NOBODY: frozenset[str] = frozenset()


class Sent(msgspec.Struct, gc=False):
    """A frame of `size` bytes that is out. `order` is its number among the sender's frames, `last` the
    number of its last message. (A tuple would make work for the garbage collector: there are many.)"""

    order: int
    last: int
    frame: bytes
    size: int


class Outlet:
    """One lane to one instance, or to a whole family when `index` is None.

    `room` is how many messages may still be sent before the receivers answer; the session's
    failure sets it to 0, so that a sender on the quick path stops and looks. `unread` are the frames
    that some listener has not read, of `flying` bytes in all.
    """

    __slots__ = (
        "_credit",
        "_everywhere",
        "_full",
        "_limit",
        "_lowest",
        "_only",
        "_waiters",
        "batch",
        "flying",
        "index",
        "next",
        "outbox",
        "role",
        "room",
        "size",
        "subject",
        "unread",
    )

    def __init__(
        self,
        outbox: Outbox,
        subject: str,
        role: str,
        index: int | None,
        listeners: Iterable[range],
        limit: int,
        granted: int = WINDOW,
    ) -> None:
        self.outbox = outbox
        self.subject = subject
        self.role = role
        self.index = index
        self.next: int = 1
        self.room = granted
        self.batch: list[Message] | None = None
        self.size = 0
        self._limit = limit
        self._full = min(FRAME_BYTES, limit // 2)
        self._lowest = granted
        self._everywhere = 0
        self.flying = 0
        self.unread: list[Sent] = []
        heard_by = list(listeners)
        lone = len(heard_by) == 1 and len(heard_by[0]) == 1
        self._only = heard_by[0].start if lone else None
        self._credit = None if lone else Credit(heard_by, granted)
        self._waiters: list[asyncio.Future[None]] = []

    def put(
        self,
        label: str,
        payload: bytes,
        branches: tuple[str, ...] = (),
        parts: Parts | None = None,
    ) -> None:
        """Add a message to the frame of this tick. The caller has made sure of `room`.

        Raises `PayloadTooLarge`, and then nothing has happened.
        """
        size = len(payload)
        batch = self.batch
        if batch is None or self.size + size > self._full:
            if size > self._limit:
                raise PayloadTooLarge(size, self._limit)
            if batch is not None:
                self.outbox.flush()
            batch = self.outbox.open(self)
        number = self.next
        self.next = number + 1
        self.room -= 1
        self.size += size + ENVELOPE
        batch.append(Message(number, label, payload, branches, parts))

    @property
    def is_recalling(self) -> bool:
        """Whether the next message was sent before, and will not be sent again."""
        return False

    # --- credit ------------------------------------------------------------------------

    def acknowledged(self, start: int, stop: int, received: int, credit: int) -> None:
        """The listeners among `start` to `stop` have the messages up to `received`, and allow those
        up to `credit`."""
        # Nobody can have read more than was sent, whatever it says.
        credit = min(credit, self.next - 1 + WINDOW)
        if self._credit is not None:
            if self._credit.tell(start, stop, received, credit):
                self._lowest, self._everywhere = self._credit.lowest, self._credit.everywhere
                self._reckon()
        elif self._only is not None and start <= self._only < stop:
            self._everywhere = max(self._everywhere, received)
            self._lowest = max(self._lowest, credit)
            self._reckon()

    def _reckon(self) -> None:
        """Forget the frames that all the listeners have read, and see how much room there is."""
        read = self._lowest - WINDOW
        done = list(takewhile(lambda sent: sent.last <= read, self.unread))
        del self.unread[: len(done)]
        self.flying -= sum([sent.size for sent in done])
        self.room = self._lowest - (self.next - 1) if self.flying <= BYTES else 0
        if self.room > 0:
            self.wake()

    def departed(self, sent: Sent) -> None:
        """A frame is out."""
        self.unread.append(sent)
        self.flying += sent.size
        if self.flying > BYTES:
            self.room = 0

    @property
    def unacknowledged(self) -> list[Sent]:
        """The frames that some listener may not have received."""
        return [sent for sent in self.unread if sent.last > self._everywhere]

    def wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def has_room(self) -> None:
        """Wait until an acknowledgement, or the end of the session, says something new."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


class Outbox(ABC):
    """The frames of one instance's outlets in the order in which they were begun.

    Messages to an instance and to its whole family must not overtake each other, so a
    message on the one kind of lane closes the open frames of the other.
    """

    __slots__ = ("_frames", "_kinds", "_order", "_turn", "outlets")

    def __init__(self, turn: Soon) -> None:
        self._turn = turn
        self._kinds = NOBODY
        """The families to all of which something was said in this turn."""
        self._frames: list[tuple[Outlet, list[Message]]] = []
        self._order = 0
        self.outlets: dict[tuple[str, int | None], Outlet] = {}

    def open(self, outlet: Outlet) -> list[Message]:
        """Begin a frame for `outlet` in this tick."""
        to_all = outlet.index is None
        if not self._frames:
            self._turn.call_soon(self.flush)
        elif to_all or outlet.role in self._kinds:
            self._close_others(outlet, to_all=to_all)
        if to_all:
            self._kinds |= {outlet.role}
        batch: list[Message] = []
        outlet.batch = batch
        outlet.size = 0
        self._frames.append((outlet, batch))
        return batch

    def _close_others(self, outlet: Outlet, *, to_all: bool) -> None:
        """Close the frames of this turn to the same role that are of the other kind."""
        self._kinds -= {outlet.role}
        for other, _ in self._frames:
            if other.role == outlet.role and (other.index is None) != to_all:
                other.batch = None

    @abstractmethod
    def flush(self) -> None:
        """Let the frames of this turn go, if there are any left."""
