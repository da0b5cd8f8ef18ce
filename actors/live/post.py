"""Where a session's frames come in. Everything that arrives is untrusted: a frame is looked at
here before anything of it reaches a mailbox."""

from __future__ import annotations

from typing import Protocol

from ...broker import subjects
from ...broker.errors import BadSubject, FrameError
from ...broker.frame import (
    REFUSALS,
    SIZE_LIMIT,
    Ack,
    Control,
    Frame,
    Message,
    decode,
    decode_within,
    is_reflected,
)
from ...language.errors import PavaneError, ProtocolViolation
from ..endpoint.seat import Seat
from ..errors import aborted
from ..mailbox.audience import Audience, meant
from ..mailbox.inlet import Lane, ToAll

LINES = 100_000
"""How many subjects are remembered; a session has as many as channels."""


class Reflected(Exception):
    """Internal: see `is_reflected`."""

    def __init__(self) -> None:
        super().__init__("an answer of the server, which was asked to send it here")


class Line:
    """One subject: who speaks on it, and the lanes of those here who listen. `only` is that of the one
    to whom alone it is said; None where it is said to all of a family, or to nobody here."""

    __slots__ = ("index", "lanes", "name", "only", "role")

    def __init__(
        self,
        role: str,
        index: int,
        name: str,
        lanes: list[tuple[Seat, Lane | None]],
        only: Lane | None = None,
    ) -> None:
        self.role = role
        self.index = index
        self.name = name
        self.lanes = lanes
        self.only = only


class Desk(Protocol):
    """What the post tells its session."""

    def fail(self, error: PavaneError, culprit: str) -> None: ...
    def refused(self, subject: str, reason: str) -> None: ...
    def heard(self, role: str, control: Control) -> None: ...


class Post:
    """Sorts the frames of one session to the seats of this process.

    `recovering` is set once messages may have been lost: gaps are then to be expected.
    `closed` is set when the session has failed: nothing is read any more.
    """

    __slots__ = ("_desk", "_fingerprint", "_lines", "_seats", "_session", "closed", "recovering")

    def __init__(
        self, desk: Desk, session: str, fingerprint: bytes, seats: dict[tuple[str, int], Seat]
    ) -> None:
        self.recovering = False
        self.closed = False
        self._desk = desk
        self._session = session
        self._fingerprint = fingerprint
        self._seats = seats
        self._lines: dict[str, Line] = {}

    def deliver(self, subject: str, data: bytes) -> None:
        """What the subscriptions call; never raises."""
        if self.closed:
            return
        line = self._lines.get(subject) or self._new_line(subject)
        if line is None:
            return
        size = len(data)
        try:
            try:
                frame = decode_within(data) if size <= SIZE_LIMIT else decode(data)
            except (FrameError, *REFUSALS) as error:
                raise self._garbage(line, data, error) from error
            if frame.fingerprint != self._fingerprint:
                raise self._foreign(line, frame)
            messages = frame.messages
            if messages:
                lane = line.only
                if lane is not None:
                    lane.inlet.mailbox.accept(lane, messages, size, self.recovering)
                else:
                    self._spread(line, messages, size)
            if frame.ack is not None or frame.control is not None or frame.abort is not None:
                self._sort(line, frame)
        except Reflected as reflected:
            self._desk.refused(subject, str(reflected))
        except PavaneError as error:
            self._desk.fail(error, line.name)

    def _spread(self, line: Line, messages: tuple[Message, ...], size: int) -> None:
        """Give `messages` to all that listen to `line`, which is one to a whole family."""
        messages = tuple([ToAll.of(said) for said in messages])
        for seat, lane in line.lanes:
            if lane is None:
                raise self._unheard(line, seat, messages[0].label)
            seat.mailbox.accept(lane, messages, size, self.recovering)

    def _new_line(self, subject: str) -> Line | None:
        """Who speaks on `subject`, to be remembered; None for what concerns nobody here."""
        try:
            line = self._line(subjects.parse(subject))
        except (BadSubject, LookupError) as error:
            self._desk.refused(subject, str(error))
            return None
        if len(self._lines) < LINES:
            self._lines[subject] = line
        return line

    def _line(self, route: subjects.Route) -> Line:
        """Raises LookupError for what no one here hears, or no one could say."""
        if route.session != self._session:
            raise LookupError("another session")
        any_seat = next(iter(self._seats.values()))
        sizes = any_seat.part.sizes
        if route.sender not in sizes or route.sender_index >= (sizes[route.sender] or 1):
            raise LookupError(f"no {route.sender}[{route.sender_index}] in this protocol")
        sender = (route.sender, route.sender_index)
        if route.index is None:
            seats = [s for (role, _), s in self._seats.items() if role == route.role]
            heard = [(s, s.mailbox.inlet(*sender)) for s in seats if (s.role, s.index) != sender]
            if not seats:
                raise LookupError(f"{route.role} is not here")
            lanes = [(s, inlet.with_all()) for s, inlet in heard if inlet is not None]
            if lanes:
                indices = [seat.index for seat, _ in lanes]
                Audience(min(indices), max(indices) + 1, [lane for _, lane in lanes])
            name = any_seat.part.instance_name(*sender)
            # With nobody to hear it, the first has to say so if it is a message; but not its sender.
            return Line(*sender, name, [*lanes] or [(s, None) for s, _ in heard[:1]])
        seat = self._seats.get((route.role, route.index))
        if seat is None:
            raise LookupError(f"{route.role}[{route.index}] is not here")
        inlet = seat.mailbox.inlet(*sender)
        name = any_seat.part.instance_name(*sender)
        lane = inlet.alone if inlet is not None else None
        return Line(*sender, name, [(seat, lane)], lane)

    def _garbage(self, line: Line, data: bytes, error: Exception) -> Exception:
        if is_reflected(data):
            return Reflected()
        why = error.reason if isinstance(error, FrameError) else str(error)[:200]
        return ProtocolViolation(
            f"{line.name} sent bytes that are no frame: {why}",
            role=line.name,
            got="garbage",
            hint=f"{line.name} does not speak Pavane's wire format; this session is over",
        )

    def _foreign(self, line: Line, frame: Frame) -> ProtocolViolation:
        return ProtocolViolation(
            f"{line.name} follows another protocol, or another version of this one",
            role=line.name,
            expected=(self._fingerprint.hex(),),
            got=frame.fingerprint.hex(),
            hint="give all processes the same .choreo file",
        )

    def _sort(self, line: Line, frame: Frame) -> None:
        """What a frame says besides its messages."""
        if frame.ack is not None:
            self._credit(line, frame.ack, frame.control)
        elif frame.control is not None:
            self._desk.heard(line.role, frame.control)
        if frame.abort is not None:
            who = frame.abort.role or line.name
            raise aborted(self._session, who, frame.abort.reason, frame.abort.code)

    def _credit(self, line: Line, ack: Ack, control: Control | None) -> None:
        """`control` says for which listeners to a lane to a whole family the ack is."""
        span = (line.index, line.index + 1) if control is None else meant(control)
        if span is None:
            raise ProtocolViolation(
                f"{line.name} gives credit, and does not say for whom",
                role=line.name,
                got="credit",
                hint=f"{line.name} does not speak Pavane's wire format; this session is over",
            )
        for seat, _ in line.lanes:
            outlet = seat.outbox.outlets.get((line.role, line.index if control is None else None))
            if outlet is not None:
                outlet.acknowledged(*span, ack.received, ack.credit)

    def _unheard(self, line: Line, seat: Seat, label: str) -> ProtocolViolation:
        return ProtocolViolation(
            f"{line.name} sent {seat.name} {label}, but never speaks to it in this protocol",
            role=line.name,
            got=label,
            hint=f"{line.name} does not follow the protocol; this session is over",
        )
