"""The sending end of a channel, and the outbox that sends what a tick of the loop has gathered.

All messages that one channel sends in one turn of the event loop leave in one frame. A lone
message waits for nothing but the end of the turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..broker.errors import PayloadTooLarge
from ..broker.frame import MESSAGES_LIMIT, Message, Parts
from .inlet import BYTES, WINDOW

FRAME_BYTES = 128 * 1024
"""A frame is closed when it reaches about this; larger payloads travel alone."""

ENVELOPE = 32
"""What a message takes in a frame besides its payload, about."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that is out and not acknowledged; `order` counts the sender's frames."""

    order: int
    last: int
    data: bytes


class Outlet:
    """One lane to one instance, or to a whole family when `index` is None.

    `room` is how many messages may still be sent before the receivers answer; the session's
    failure sets it to 0, so that a sender on the quick path stops and looks.
    """

    __slots__ = (
        "_arrived",
        "_credits",
        "_flying",
        "_full",
        "_limit",
        "_lowest",
        "_unread",
        "_waiters",
        "batch",
        "index",
        "next",
        "outbox",
        "role",
        "room",
        "size",
        "subject",
        "unacknowledged",
    )

    def __init__(
        self,
        outbox: Outbox,
        subject: str,
        role: str,
        index: int | None,
        listeners: Iterable[int],
        limit: int,
    ) -> None:
        self.outbox = outbox
        self.subject = subject
        self.role = role
        self.index = index
        self.next = 1
        self.room = WINDOW
        self.batch: list[Message] | None = None
        self.size = 0
        self.unacknowledged: deque[Sent] = deque()
        self._limit = limit
        self._full = min(FRAME_BYTES, limit // 2)
        self._lowest = WINDOW
        self._flying = 0
        self._unread: deque[tuple[int, int]] = deque()
        self._credits = dict.fromkeys(listeners, WINDOW)
        self._arrived = dict.fromkeys(listeners, 0)
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
        if batch is None or self.size + size > self._full or len(batch) >= MESSAGES_LIMIT:
            if size > self._limit:
                raise PayloadTooLarge(size, self._limit)
            batch = self.outbox.open(self)
        number = self.next
        self.next = number + 1
        self.room -= 1
        self.size += size + ENVELOPE
        self._flying += size
        if self._flying > BYTES:
            self.room = 0
        batch.append(Message(number, label, payload, branches, parts))

    # --- credit ------------------------------------------------------------------------

    def acknowledged(self, index: int, received: int, credit: int) -> None:
        """Listener `index` has the messages up to `received` and allows those up to `credit`."""
        if index not in self._credits:
            return
        was_lowest = self._credits[index] == self._lowest
        self._arrived[index] = max(self._arrived[index], received)
        # Nobody can have read more than was sent, whatever it says.
        self._credits[index] = max(self._credits[index], min(credit, self.next - 1 + WINDOW))
        if was_lowest:
            self._reckon()

    def _reckon(self) -> None:
        """See what all the listeners have received and read."""
        self._lowest = min(self._credits.values())
        everywhere = min(self._arrived.values())
        while self.unacknowledged and self.unacknowledged[0].last <= everywhere:
            self.unacknowledged.popleft()
        while self._unread and self._unread[0][0] <= self._lowest - WINDOW:
            self._flying -= self._unread.popleft()[1]
        self.room = self._lowest - (self.next - 1) if self._flying <= BYTES else 0
        if self.room > 0:
            self.wake()

    def departed(self, sent: Sent, size: int) -> None:
        """A frame with payloads of `size` bytes is out."""
        self.unacknowledged.append(sent)
        self._unread.append((sent.last, size))

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


class Outbox:
    """The frames of one instance's outlets in the order in which they were begun.

    Messages to an instance and to its whole family must not overtake each other, so a
    message on the one kind of lane closes the open frames of the other.
    """

    __slots__ = ("_begun", "_encode", "_frames", "_loop", "_order", "_publish", "outlets")

    def __init__(
        self,
        encode: Callable[[list[Message]], bytes],
        publish: Callable[[str, bytes], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._encode = encode
        self._publish = publish
        self._loop = loop
        self._begun: dict[tuple[str, bool], list[Outlet]] = {}
        self._frames: list[tuple[Outlet, list[Message]]] = []
        self._order = 0
        self.outlets: dict[tuple[str, int | None], Outlet] = {}

    def open(self, outlet: Outlet) -> list[Message]:
        """Begin a frame for `outlet` in this tick."""
        if not self._frames:
            self._loop.call_soon(self.flush)
        self._close_others(outlet)
        self._begun.setdefault((outlet.role, outlet.index is None), []).append(outlet)
        batch: list[Message] = []
        outlet.batch = batch
        outlet.size = 0
        self._frames.append((outlet, batch))
        return batch

    def _close_others(self, outlet: Outlet) -> None:
        """Close the frames of this tick to the same role that are of the other kind."""
        other = (outlet.role, outlet.index is not None)
        for begun in self._begun.pop(other, ()):
            begun.batch = None

    def flush(self) -> None:
        """Publish the frames of this tick, if there are any left."""
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        self._begun.clear()
        for outlet, batch in frames:
            outlet.batch = None
            self._order += 1
            data = self._encode(batch)
            size = sum(len(message.payload) for message in batch)
            outlet.departed(Sent(self._order, batch[-1].sequence, data), size)
            self._publish(outlet.subject, data)

    def send_again(self) -> None:
        """Publish every frame that is not acknowledged once more, in the first order."""
        frames = [(sent, o.subject) for o in self.outlets.values() for sent in o.unacknowledged]
        for sent, subject in sorted(frames, key=lambda pair: pair[0].order):
            self._publish(subject, sent.data)
