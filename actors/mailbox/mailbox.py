"""An instance's mailbox: one inlet for each sender that may speak to it, and who waits there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...broker.frame import Message
from ...language.errors import ProtocolViolation
from ..limits import LINGERING, NEAR
from ..part import Part
from .inlet import HEAVY, WINDOW, Inlet, Lane

Acknowledge = Callable[[str, int, Lane], None]
"""Says for an instance, by role and index, how far it has read on a lane."""

HIGH = int(NEAR * WINDOW)
FULL = 2 * WINDOW
"""Unread messages of one sender; more means that it ignores its credit."""


class Mailbox:
    """Owned by the endpoint of one instance; ends with the session.

    `failure` is set once, when the session fails; every wait then raises it.
    """

    __slots__ = ("_acknowledge", "_flush", "_loop", "_waiters", "failure", "index", "inlets", "name", "part",
                 "shown", "slow")  # fmt: skip

    def __init__(
        self,
        part: Part,
        index: int,
        acknowledge: Acknowledge,
        flush: Callable[[], None],
    ) -> None:
        self.part = part
        self.index = index
        self.name = part.name_of(index)
        self.inlets: dict[tuple[str, int], Inlet] = {}
        self.failure: Exception | None = None
        self._acknowledge = acknowledge
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._waiters: list[asyncio.Future[None]] = []
        self.shown: Callable[[Inlet], None] | None = None
        """Called when a sender has shown another token than before."""
        self.slow: Callable[[str, Inlet], None] | None = None
        """Called when so much of one sender lies unread that it soon has to wait, or waits."""

    def inlet(self, role: str, index: int) -> Inlet | None:
        """The inlet of `role[index]`; None where the machine hears nothing from there."""
        found = self.inlets.get((role, index))
        if found is None and self.part.hears(role, index, self.index):
            name = self.part.instance_name(role, index)
            found = Inlet(role, index, name, self, self.part.labels[role])
            self.inlets[role, index] = found
        return found

    def accept(self, lane: Lane, messages: tuple[Message, ...], size: int, lossy: bool) -> None:
        """Take what came on `lane` in a frame of `size` bytes: at least one message. Numbers seen before are
        dropped; `lossy` says that gaps are to be expected (they will be filled), else one raises
        `ProtocolViolation`."""
        inlet = lane.inlet
        labels = inlet.labels
        expected = lane.last + 1
        message = messages[0]
        if (
            len(messages) == 1
            and message.sequence == expected
            and not inlet.queue
            and message.parts is None
            and message.label in labels
        ):
            # One by one, as in a dialogue: what follows, without the questions that are answered.
            lane.last = expected
            inlet.queue.append(message)
            inlet.weight += size
            if inlet.weight > HEAVY:
                self._weigh(inlet)
            waiters = self._waiters
            if waiters:
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(None)
                waiters.clear()
            return
        if lossy and message.sequence < expected:
            # It sends again: our acknowledgement may have been lost too.
            lane.tell_again()
        wrong: ProtocolViolation | None = None
        for message in messages:
            number = message.sequence
            if number != expected:
                if number < expected or lossy:
                    continue
                wrong = self._violation(inlet, f"message {number}", f"message {expected}")
                break
            lane.last = number
            expected += 1
            if message.parts is not None and not self._concerned(lane, message):
                continue
            if message.label not in labels:
                wrong = self._violation(inlet, message.label, *sorted(labels))
                break
            inlet.late.append(message)
        if inlet.late and not inlet.queue:
            inlet.turn()
        if wrong is not None:
            raise wrong
        inlet.weight += size
        if len(inlet.queue) > HIGH or inlet.late or inlet.weight > HEAVY:
            self._weigh(inlet)
        if self._waiters:
            self.wake()

    def _weigh(self, inlet: Inlet) -> None:
        """Look at how much of `inlet` lies unread."""
        unread = inlet.unread
        if unread > FULL or (inlet.weight > HEAVY and inlet.is_overweight()):
            raise self._violation(inlet, f"{unread} unread messages", "credit to be kept")
        if unread > HIGH and not inlet.lingers:
            self._look_again(inlet)

    def _look_again(self, inlet: Inlet) -> None:
        """Say that `inlet` is nearly full if it still is in a while: a burst is nothing to speak of."""
        inlet.lingers = True

        def look() -> None:
            inlet.lingers = False
            if self.failure is None and self.slow is not None and inlet.unread > HIGH:
                self.slow(self.name, inlet)

        asyncio.get_running_loop().call_later(LINGERING, look)

    def _concerned(self, lane: Lane, message: Message) -> bool:
        """Whether a message to a range of the family means this instance; keeps its token.

        What does not concern it counts as read, once nothing before it is unread.
        """
        parts = message.parts
        assert parts is not None
        if parts.token is not None and parts.token != lane.inlet.token:
            lane.inlet.token = parts.token
            if self.shown is not None:
                self.shown(lane.inlet)
        start, stop = parts.start, parts.stop
        if start is None or stop is None or start <= self.index < stop:
            return True
        if not lane.inlet.unread:
            lane.has_read(message)
        return False

    def _violation(self, inlet: Inlet, got: str, *expected: str) -> ProtocolViolation:
        hint = f"{inlet.name} does not follow the protocol; this session is over"
        if expected == ("message 1",):
            hint = f"{hint}. Or another process plays {self.name} too: name each session anew"
        return ProtocolViolation(
            f"{inlet.name} sent {self.name} {got}; expected {', '.join(expected)}",
            role=inlet.name,
            expected=expected,
            got=got,
            hint=hint,
        )

    def acknowledge(self, lane: Lane) -> None:
        """Say how far `lane` has come."""
        self._acknowledge(self.part.role, self.index, lane)

    def acknowledge_all(self) -> None:
        """Say again how far every lane has come; what was said of it may have been lost."""
        for inlet in self.inlets.values():
            for lane in inlet.lanes:
                if lane.last:
                    lane.tell_again()

    # --- waiting -----------------------------------------------------------------------

    def arrival(self) -> asyncio.Future[None]:
        """What to await until something arrives; it raises the session's failure.

        Who waits has said what it has to say: its frames need not wait for the end of the turn.
        """
        if self.failure is not None:
            raise self.failure
        self._flush()
        if self.failure is not None:
            # It was the flush that failed.
            raise self.failure
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def wake(self) -> None:
        waiters = self._waiters
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        waiters.clear()

    def fail(self, failure: Exception) -> None:
        """End all waiting with `failure`; unread messages are forgotten."""
        if self.failure is None:
            self.failure = failure
            for inlet in self.inlets.values():
                inlet.forget()
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(failure)
