"""The lanes of a durable session: what was sent before is not sent again, what is missing is
waited for, and nothing is dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from typing import NoReturn, Protocol

from ...broker.frame import Message, Parts
from ...broker.surroundings import now
from ..mailbox.inlet import WINDOW, Inlet, Lane
from ..mailbox.mailbox import FULL, Acknowledge, Mailbox
from ..mailbox.outlet import NOBODY, Outbox, Outlet, Sent
from ..mailbox.turn import Soon
from ..part import Part


class Depart(Protocol):
    """Raises a `Departure`."""

    def __call__(
        self, step: str, expected: str, got: str, payloads: tuple[bytes, bytes] | None = None
    ) -> NoReturn: ...


Plain = Callable[[str, bytes], bytes]
"""The payload of a message of some label before a codec sealed it, which it may do differently
each time."""


class DurableOutlet(Outlet):
    """A lane whose first messages may be in the log already: they are compared and not sent."""

    __slots__ = ("_depart", "_plain", "_said_again", "live", "name", "recorded", "spoke")

    def __init__(
        self,
        outbox: Outbox,
        subject: str,
        role: str,
        index: int | None,
        listeners: Iterable[range],
        limit: int,
        recorded: Mapping[int, Message],
        depart: Depart,
        said_again: Callable[[], None],
        plain: Plain,
        name: str,
        live: str = "",
    ) -> None:
        """`live` is the lane's subject outside the log, empty where messages are to be heard in the
        order of the log and no other."""
        # So much was granted before; how much more since then, the listeners will say.
        granted = max([WINDOW, *recorded])
        super().__init__(outbox, subject, role, index, listeners, limit, granted)
        self.live = live
        self.spoke = 0.0
        """When the last frame was sent, by the clock of the loop."""
        self.name = name
        self.recorded = dict(recorded)
        self._depart = depart
        self._said_again = said_again
        self._plain = plain

    def put(
        self,
        label: str,
        payload: bytes,
        branches: tuple[str, ...] = (),
        parts: Parts | None = None,
    ) -> None:
        """Raises `Departure` where the log has another message under this number."""
        if self.recorded:
            recorded = self.recorded.pop(self.next, None)
            if recorded is not None:
                self._said_again()
                self._compare(recorded, Message(self.next, label, payload, branches, parts))
                self.next += 1
                self.room -= 1
                return
        super().put(label, payload, branches, parts)

    def _compare(self, recorded: Message, message: Message) -> None:
        if _said(recorded) != _said(message) and self._meant(recorded) != self._meant(message):
            step = f"message {message.sequence} to {self.name}"
            expected, got = recorded.label, message.label
            if expected != got:
                self._depart(step, expected, got)
            before, after = (self._plain(got, m.payload) for m in (recorded, message))
            expected, got = (f"{got} of {_shown(payload)}" for payload in (before, after))
            self._depart(step, expected, got, (before, after))

    def _meant(self, message: Message) -> tuple[object, ...]:
        return (*_said(message)[:-1], self._plain(message.label, message.payload))

    def finish(self) -> None:
        """Raise `Departure` if the log has messages that the code did not send."""
        if self.recorded:
            number, message = min(self.recorded.items())
            self._depart(f"message {number} to {self.name}", message.label, "its end")

    @property
    def is_recalling(self) -> bool:
        return self.next in self.recorded

    @property
    def is_waited_for(self) -> bool:
        return bool(self._waiters)


class DurableOutbox(Outbox):
    """An outbox of durable outlets; `speak` sends a frame of one of them. `closing` is called
    before anything of the turn is sent: whoever counts what is sent puts it into the journal."""

    __slots__ = ("_speak", "closing")

    def __init__(
        self,
        turn: Soon,
        speak: Callable[[DurableOutlet, list[Message]], None],
    ) -> None:
        super().__init__(turn)
        self._speak = speak
        self.closing: Callable[[], None] | None = None

    def close_series(self) -> None:
        """What was sent in this turn and counted is put into the journal."""
        closing, self.closing = self.closing, None
        if closing is not None:
            closing()

    def flush(self) -> None:
        if not self._frames:
            return
        self.close_series()
        frames, self._frames = self._frames, []
        self._kinds = NOBODY
        for outlet, batch in frames:
            assert isinstance(outlet, DurableOutlet), "an outbox has outlets of its own kind"
            outlet.batch = None
            self._order += 1
            # The frame itself need not be kept: it will be in the log.
            size = sum([len(said.payload) for said in batch])
            outlet.departed(Sent(self._order, batch[-1].sequence, b"", size))
            self._speak(outlet, batch)


def _shown(payload: bytes) -> str:
    """Enough to tell two payloads apart, and nothing of what is in them."""
    size = f"{len(payload)} byte{'' if len(payload) == 1 else 's'}"
    return f"{size} ({blake2b(payload, digest_size=4).hexdigest()})"


def _said(message: Message) -> tuple[object, ...]:
    """What has to be the same; the token is another for each worker."""
    parts = message.parts
    meant = (parts.start, parts.stop) if parts is not None else (None, None)
    return (message.label, message.branches, meant, message.payload)


class Fed:
    """Where what is accepted comes from: `time` is when it was stored (seconds since 1970) where that
    is the log, which has no bounds of its own. Shared by the mailboxes of a unit."""

    __slots__ = ("time",)

    def __init__(self) -> None:
        self.time: float | None = None


class DurableMailbox(Mailbox):
    """A mailbox that expects gaps: what came too early is kept aside until `missing`, which it
    calls, has had the rest read from the log."""

    __slots__ = ("_early", "_fed", "_missing", "_mixed", "_said")

    def __init__(
        self,
        part: Part,
        index: int,
        acknowledge: Acknowledge,
        flush: Callable[[], None],
        missing: Callable[[], None],
        fed: Fed,
        mixed: Collection[str],
    ) -> None:
        """`mixed` are the roles that speak to this one alone and to its whole family: two lanes, whose
        order is that of the stream and no other. They are heard from there only."""
        super().__init__(part, index, acknowledge, flush)
        self._mixed = mixed
        self._said: dict[Lane, int] = {}
        self._early: dict[Lane, dict[int, Message]] = {}
        self._missing = missing
        self._fed = fed

    def accept(self, lane: Lane, messages: tuple[Message, ...], size: int, lossy: bool) -> None:
        """Take what came on `lane`; whatever was seen before is dropped. Never raises for gaps.

        Raises `ProtocolViolation` for a label that this sender never says.
        """
        inlet = lane.inlet
        is_fed = self._fed.time is not None
        if not is_fed and inlet.role in self._mixed:
            self._announced(lane, messages)
            return
        if not is_fed and inlet.unread > FULL:
            # It is in the log, to be read when there is room.
            self._missing()
            return
        if inlet.role in self.part.checked:
            self._stamp(lane, messages)
        for message in messages:
            number = message.sequence
            if number == lane.last + 1:
                self._take(lane, message)
            elif number > lane.last:
                self._early.setdefault(lane, {})[number] = message
        if self._early:
            self._catch_up(lane)
        if self._waiters:
            self.wake()

    def _stamp(self, lane: Lane, messages: tuple[Message, ...]) -> None:
        """Note when the last came of those whose sender needs a right: it had to have it then."""
        inlet = lane.inlet
        checked = self.part.checked[inlet.role]
        if any(said.label in checked and said.sequence > lane.last for said in messages):
            came = now() if self._fed.time is None else self._fed.time
            inlet.heard = came if inlet.heard is None else max(came, inlet.heard)

    def _announced(self, lane: Lane, messages: tuple[Message, ...]) -> None:
        """Have the log read for what has come, unless it has been."""
        if messages and messages[-1].sequence > max(lane.last, self._said.get(lane, 0)):
            self._said[lane] = messages[-1].sequence
            self._missing()

    @property
    def is_behind(self) -> bool:
        """Whether something has come that could not be read from the log yet."""
        self._said = {lane: last for lane, last in self._said.items() if last > lane.last}
        return bool(self._said)

    def _catch_up(self, lane: Lane) -> None:
        early = self._early.get(lane)
        if not early:
            return
        while (message := early.pop(lane.last + 1, None)) is not None:
            self._take(lane, message)
        for number in [n for n in early if n <= lane.last]:
            del early[number]
        if not early:
            del self._early[lane]
        elif self._fed.time is None:
            if len(early) > FULL:
                early.clear()
            self._missing()

    def _take(self, lane: Lane, message: Message) -> None:
        lane.last = message.sequence
        if message.parts is not None and not self._concerned(lane, message):
            return
        inlet = lane.inlet
        if message.label not in self.part.labels[inlet.role]:
            raise self._violation(inlet, message.label, *sorted(self.part.labels[inlet.role]))
        inlet.late.append(message)
        if not inlet.queue:
            inlet.turn()

    @property
    def is_waited_for(self) -> bool:
        return bool(self._waiters)

    def progress(self) -> int:
        """How many messages have arrived; grows."""
        return sum(_arrived(inlet) for inlet in self.inlets.values())


def _arrived(inlet: Inlet) -> int:
    return sum(lane.last for lane in inlet.lanes)
