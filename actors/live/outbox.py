"""How the frames of a live session leave, and leave again."""

from __future__ import annotations

from collections.abc import Callable

from ...broker.errors import BrokerError
from ...broker.frame import Message
from ..mailbox.inlet import BYTES
from ..mailbox.outlet import NOBODY, Outbox, Sent
from ..mailbox.turn import Soon


class LiveOutbox(Outbox):
    """Publishes frames at once, and keeps them until they are read. `lost` is told why one could not be
    published. While it `is_held`, what was lost is to be said again first."""

    __slots__ = ("_encode", "_lost", "_publish", "is_held")

    def __init__(
        self,
        encode: Callable[[list[Message]], bytes],
        publish: Callable[[str, bytes], None],
        turn: Soon,
        lost: Callable[[str], None],
    ) -> None:
        super().__init__(turn)
        self._encode = encode
        self._publish = publish
        self._lost = lost
        self.is_held = False

    def flush(self) -> None:
        frames = self._frames
        if not frames:
            return
        self._frames = []
        self._kinds = NOBODY
        for outlet, batch in frames:
            outlet.batch = None
            self._order = order = self._order + 1
            data = self._encode(batch)
            size = len(data)
            # As `departed`, and `_say`, without the calls: this is done for every frame.
            outlet.unread.append(Sent(order, batch[-1].sequence, data, size))
            outlet.flying = flying = outlet.flying + size
            if flying > BYTES:
                outlet.room = 0
            if self.is_held:
                continue
            try:
                self._publish(outlet.subject, data)
            except BrokerError as error:
                self._lost(error.message)

    def send_again(self) -> None:
        """Publish every frame that is not acknowledged once more, in the first order, and those that were
        held."""
        self.is_held = False
        frames = [(sent, o.subject) for o in self.outlets.values() for sent in o.unacknowledged]
        for sent, subject in sorted(frames, key=lambda frame: frame[0].order):
            self._say(subject, sent.frame)

    def _say(self, subject: str, data: bytes) -> None:
        try:
            self._publish(subject, data)
        except BrokerError as error:
            self._lost(error.message)
