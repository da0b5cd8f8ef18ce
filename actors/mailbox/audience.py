"""Those here who hear one sender on its lane to their whole family. They tell it together how far
the slowest of them has come, as it waits for that one anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...broker.errors import FrameError
from ...broker.frame import Ack, Control, Message
from ...broker.payload import pack, unpack
from .inlet import WINDOW, Lane

if TYPE_CHECKING:
    from ..part import Move

TO_ALL = "all"
"""The control verb of a frame whose ack speaks for a range of listeners to a lane to their family."""


class Audience:
    """The `lanes` of listeners `start` to `stop`, in order; there may be others between them whom
    this sender never speaks to. They belong to it from now on."""

    __slots__ = ("_lanes", "_lowest", "_opened", "_slowest", "start", "stop")

    def __init__(self, start: int, stop: int, lanes: Sequence[Lane]) -> None:
        self.start = start
        self.stop = stop
        self._lanes = lanes
        self._opened: tuple[Message, Any] | None = None
        for lane in lanes:
            lane.audience = self
        self._look()

    def _look(self) -> None:
        self._lowest = min([lane.told for lane in self._lanes])
        self._slowest = sum([lane.told == self._lowest for lane in self._lanes])

    def moves(self, before: int) -> bool:
        """Whether a lane that tells more than it told `before` was the last of the slowest."""
        self._slowest -= before == self._lowest
        if self._slowest:
            return False
        self._look()
        return True

    def payload(self, move: Move, message: Message) -> Any:
        """What each of them receives with `message`: read once, if nobody can change it. Raises
        `PayloadError` and `FrameError`."""
        if not move.shared:
            return move.decode(message.payload)
        opened = self._opened
        if opened is None or opened[0] is not message:
            self._opened = opened = (message, move.decode(message.payload))
        return opened[1]

    def is_led_by(self, lane: Lane) -> bool:
        """Whether `lane` is the one that speaks for all where all have the same to say."""
        return lane is self._lanes[0]

    def word(self) -> tuple[Ack, Control]:
        """What is said to the sender."""
        received = min([lane.last for lane in self._lanes])
        read = min([lane.read for lane in self._lanes])
        return Ack(received, read + WINDOW), Control(TO_ALL, pack([self.start, self.stop]))


def meant(control: Control) -> tuple[int, int] | None:
    """The listeners that a `word` speaks for; None if it is none."""
    try:
        span = unpack(control.facts)
    except FrameError:
        return None
    match span:
        case [int(start), int(stop)] if control.verb == TO_ALL and 0 <= start < stop:
            return start, stop
        case _:
            return None


def how_far(lane: Lane, index: int) -> tuple[int, Ack, Control | None]:
    """What the sender of `lane`, which `index` hears, is to know of it, and in whose name."""
    if lane.audience is None:
        return index, Ack(lane.last, lane.read + WINDOW), None
    return lane.audience.start, *lane.audience.word()
