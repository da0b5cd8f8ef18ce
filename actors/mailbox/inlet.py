"""The receiving end of a channel: what one sender has said to one instance, in order.

A sender speaks to an instance on two lanes: one to it alone and one to its whole family
(`all`). Each is numbered by itself; what arrives on either goes into one queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...broker.frame import Message

if TYPE_CHECKING:
    from ..part import Move
    from .audience import Audience
    from .mailbox import Mailbox

WINDOW = 2048
"""How many messages of a lane may be on their way or unread; the sender waits beyond it."""

MANY = 256
"""Messages read after which the sender is told: so many frames it keeps, should they have to be sent
again, where each has one message."""

BYTES = 16 << 20
"""How many bytes of a lane may be on their way or unread. Passed by at most a frame and a message."""

MUCH = BYTES // 16
"""Bytes read after which the sender is told, however few messages they were."""

HEAVY = 3 * BYTES
"""Bytes of unread frames beyond which a sender ignores its credit."""


class ToAll(Message, frozen=True):
    """A message that came on the lane to a whole family; any other came to one instance alone.

    (To keep each with its lane would make work for the garbage collector: there are many.)"""

    @classmethod
    def of(cls, said: Message) -> ToAll:
        return cls(said.sequence, said.label, said.payload, said.branches, said.parts)


class Lane:
    """How far the numbering of one lane has come: arrived, read, and told to the sender.

    `audience` has those here who hear the same; None for a lane to one instance alone.
    """

    __slots__ = ("audience", "bytes", "inlet", "last", "read", "told")

    def __init__(self, inlet: Inlet) -> None:
        self.inlet = inlet
        self.audience: Audience | None = None
        self.last = 0
        self.read = 0
        self.told = 0
        self.bytes = 0

    def has_read(self, message: Message) -> None:
        """Count a message as read: room for the sender to send another."""
        self.read = message.sequence
        self.bytes += len(message.payload)
        if self.read - self.told >= MANY or self.bytes >= MUCH:
            self.tell()

    def tell(self) -> None:
        """Let the sender know how far this instance has read, if it makes a difference to it."""
        before, self.told = self.told, self.read
        self.bytes = 0
        if self.audience is None or self.audience.moves(before):
            self.inlet.mailbox.acknowledge(self)

    def tell_again(self) -> None:
        """Say what was said before; it may have been lost."""
        if self.audience is None:
            self.told = self.read
            self.inlet.mailbox.acknowledge(self)
        elif self.audience.is_led_by(self):
            self.inlet.mailbox.acknowledge(self)


class Inlet:
    """One sender as seen by one instance, the one that owns `mailbox`."""

    __slots__ = (
        "alone",
        "heard",
        "index",
        "labels",
        "late",
        "lingers",
        "mailbox",
        "name",
        "queue",
        "role",
        "to_all",
        "token",
        "weight",
    )

    def __init__(
        self, role: str, index: int, name: str, mailbox: Mailbox, labels: set[str]
    ) -> None:
        self.role = role
        self.index = index
        self.name = name
        self.mailbox = mailbox
        self.labels = labels
        """What it may say."""
        self.queue: list[Message] = []
        """What is to be read next, the oldest last; there is something unread unless it is empty.
        (A deque would be as fast, but takes 760 bytes where nothing is waiting.)"""
        self.late: list[Message] = []
        """What has come while there was something in the queue, in order. Who adds to it sees to the `turn`."""
        self.lingers = False
        self.alone = Lane(self)
        self.to_all: Lane | None = None
        """Made with the first message to the whole family: few roles get any."""
        self.token: bytes | None = None
        """The capability token that the sender last showed."""
        self.heard: float | None = None
        """When it had to be good: when the last message came that asks for one, in seconds since 1970. None
        where it has to be when the message is read."""
        self.weight = 0
        """Bytes of the frames that came since it was last weighed; at least what is unread."""

    @property
    def lanes(self) -> list[Lane]:
        return [self.alone] if self.to_all is None else [self.alone, self.to_all]

    def with_all(self) -> Lane:
        """The lane to the whole family."""
        if self.to_all is None:
            self.to_all = Lane(self)
        return self.to_all

    def opened(self, move: Move, message: Message) -> Any:
        """What is received with a `ToAll`: read once for all here. Raises `PayloadError` and `FrameError`."""
        audience = self.with_all().audience
        assert audience is not None, "who speaks to a family has an audience"
        return audience.payload(move, message)

    @property
    def unread(self) -> int:
        """How many messages wait to be read."""
        return len(self.queue) + len(self.late)

    @property
    def head(self) -> Message:
        """The oldest message; there must be one."""
        return self.queue[-1]

    def turn(self) -> None:
        """Let what came late be read: there is nothing else any more."""
        self.late.reverse()
        self.queue, self.late = self.late, self.queue

    def forget(self) -> None:
        """Have nothing to be read any more."""
        self.queue.clear()
        self.late.clear()

    def is_overweight(self) -> bool:
        """Weigh what is unread anew, which is done when `weight` has passed `HEAVY`: whether it
        is out of bounds."""
        self.weight = sum(len(said.payload) for said in (*self.queue, *self.late))
        return self.weight > HEAVY

    def take(self) -> Message:
        """The oldest message, which counts as read."""
        queue = self.queue
        message = queue.pop()
        if not queue and self.late:
            self.turn()
        lane = self.alone if type(message) is Message else self.with_all()
        # As `Lane.has_read`, without the call: this is done for every message.
        number = lane.read = message.sequence
        lane.bytes = unsaid = lane.bytes + len(message.payload)
        if number - lane.told >= MANY or unsaid >= MUCH:
            lane.tell()
        return message
