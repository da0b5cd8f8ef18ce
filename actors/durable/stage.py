"""The seats of a unit, laid out from its log; what live sessions are to their seats, this is to
those of a durable one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container
from functools import partial
from typing import Protocol

from ...broker.frame import Control, Frame, encode, framer
from ...effects.identity import Identity, SendContext
from ...effects.pipeline.driver import Still
from ...effects.pipeline.pipeline import Pipeline
from ...language.errors import PavaneError
from ..around import Around, SessionTrace
from ..cast import Cast
from ..devices import Devices
from ..endpoint.clock import Clock
from ..endpoint.seat import Seat
from ..events import Event, FrameRefused
from ..limits import Limits
from ..live.post import Post
from ..live.session import AGAIN
from ..log import record
from ..mailbox.audience import how_far
from ..mailbox.inlet import Inlet, Lane
from ..mailbox.switchboard import Switchboard
from ..part import Part
from ..wallet import Held
from .ahead import Ahead
from .assignment import Assignment
from .backlog import Backlog
from .calls import RecordedCalls, Recorder
from .company import Company
from .effects import OnceOnly
from .history import Channel, History, times_of
from .lanes import DurableMailbox, DurableOutbox, DurableOutlet, Fed
from .recall import Recall
from .sealing import INPUT, Sealing
from .times import RecordedDeadlines
from .turnstile import Turnstiles
from .watching import Watching

AT_ONCE = 64
"""How many instances' journals are taken over, or ended, together."""


class Sink(Protocol):
    """Where the frames of a unit go."""

    def hand_over(self, subject: str, data: bytes) -> asyncio.Future[int] | None: ...
    def say(self, subject: str, data: bytes) -> None:
        """Outside the log; it may be lost."""
        ...


class Player(Protocol):
    """What the stage needs of the unit that it belongs to."""

    @property
    def assignment(self) -> Assignment: ...
    @property
    def incarnation(self) -> int: ...
    def fail(self, error: PavaneError, culprit: str) -> None: ...


class Stage:
    """A `Host` of seats, and the `Desk` of their post. `on_missing` is called where messages
    are missing that the log must have. Instances that are `over` do nothing any more."""

    def __init__(
        self,
        player: Player,
        cast: Cast,
        switchboard: Switchboard,
        pipeline: Pipeline,
        sink: Sink,
        recorder: Recorder,
        history: History,
        *,
        tokens: Callable[[Identity], Held],
        observe: Callable[[Event], None] | None,
        around: Around,
        clock: Clock,
        over: Container[int] = (),
    ) -> None:
        unit = player.assignment
        self.id = unit.session
        self._sealing = Sealing(around.codec, unit.place)
        self.input = self._sealing.value(None, INPUT, unit.input)
        self.devices: Devices = unit.devices
        self.around = around
        self.trace: SessionTrace | None = None
        if around.tracer is not None:
            # All units are below the start of the session; where that was not traced, below one
            # parent that follows from the session's name.
            self.trace = around.tracer.session(
                self.id, cast.namespace, cast.name, leads=False, parent=unit.trace
            )
            self.trace.begin({})
        self.limits = Limits(self.id, self._tell)
        self.seats: dict[tuple[str, int], Seat] = {}
        self.on_missing: Callable[[], None] = lambda: None
        self._player = player
        self._cast = cast
        self._switchboard = switchboard
        self._sink = sink
        self._place = unit.place
        self._tokens = tokens
        self._observe = observe
        self._clock = clock
        self._failed = False
        self._said = history.said(unit.role, unit.start, unit.stop)
        self._unsaid = Counter[int]()
        """How many messages the log has of each instance that it has not said again."""
        for channel, messages in self._said.items():
            self._unsaid[channel[3]] += len(messages)
        self._ended = {index for role, index in history.ended if role == unit.role}
        self._fed = Fed()
        steps = history.steps_of(unit.role, unit.start)
        times = times_of(history.steps.get((unit.role, unit.start), ()))
        parts = {i: part for part in cast.parts[unit.role] for i in part.instances()}
        everyone = range(unit.start, unit.stop)
        self._recalls = {
            i: Recall(self.id, parts[i].name_of(i), steps.get(i, {}), times.get(i))
            for i in everyone
        }
        self._recorder = recorder
        self.calls = RecordedCalls(
            self._recalls, recorder, clock, self._flush_one, unit.role, self._sealing
        )
        self.pipeline = OnceOnly(
            pipeline,
            self._recalls,
            recorder,
            lambda error: player.fail(error, "the runtime"),
            self._sealing,
            unit.role,
            history.barred(unit.role, unit.start),
            self._is_recorded,
        )
        self.post = Post(self, self.id, cast.fingerprint, self.seats)
        self.company = Company(
            unit, self.seats, self._say_of_unit, over, self.calls.calling, self._progress
        )
        frame = framer(cast.fingerprint, player.incarnation)
        limit = switchboard.broker.max_payload
        self._stiles = Turnstiles(self._publish)
        self.backlog = Backlog(frame, self._stiles.hand_over, sink.say, limit)
        self.watching = Watching(self.limits, unit.name, self.seats.values(), self.number_of)
        for index in everyone:
            self.seats[unit.role, index] = self._seat(parts[index], index)

    def _seat(self, part: Part, index: int) -> Seat:
        family = index if part.is_family else None
        unit = self._player.assignment
        who = Identity(unit.namespace, unit.protocol, self.id, part.role, family)
        held = self._tokens(who)
        context = SendContext(who, held.token, durable=True, turn=self._player.incarnation)
        outbox = DurableOutbox(self._switchboard.turn, self.backlog.add)
        mailbox = DurableMailbox(
            part, index, self._acknowledge, outbox.flush, self._missing, self._fed,
            [sender for sender, receiver in self._cast.mixed if receiver == part.role],
        )  # fmt: skip
        seat = Seat(self, part, index, mailbox, outbox, context, self._observe, self._clock)
        seat.held = held
        seat.settle = partial(self.calls.first, mailbox)
        if self._observe is None:
            seat.ahead = Ahead(self.pipeline, self.backlog, outbox, self._switchboard.turn)
        if part.times:
            seat.deadlines = RecordedDeadlines(
                seat, self._clock, lambda error: self.fail(error, seat.name),
                self._recalls[index], self._recorder, lambda: self._is_caught_up(seat),
            )  # fmt: skip
        return seat

    def _missing(self) -> None:
        self.on_missing()

    # --- from the log ------------------------------------------------------------------

    def feed(self, history: History) -> None:
        """Give the seats what the log has for them. What they have already is dropped."""
        unit = self._player.assignment
        try:
            for channel, self._fed.time, data in history.heard(unit.role, unit.start, unit.stop):
                self.post.deliver(self._place.live(*channel), data)
        finally:
            self._fed.time = None

    async def admit(self) -> None:
        """Refuse a unit that could not make its sends, before the first message."""
        for part in self._cast.parts[self._player.assignment.role]:
            sends = [m.step.action for m in part.moves if m.plan is not None]
            seat = self.seats.get((part.role, max(part.start, self._player.assignment.start)))
            if seat is not None and (sends or any(m.arrival is not None for m in part.moves)):
                await self.pipeline.admit(seat.context, sends)

    async def take_over(self, worker: str, still: Still) -> None:
        """Fence the journals of the instances, and see what they have been charged for. `still`
        raises where they are another's by now."""
        await self.admit()
        contexts = [seat.context for seat in self._charged()]
        for start in range(0, len(contexts), AT_ONCE):
            batch = contexts[start : start + AT_ONCE]
            await asyncio.gather(*(self.pipeline.take_over(c, worker, still) for c in batch))

    def _charged(self) -> list[Seat]:
        return [s for s in self.seats.values() if any(m.plan is not None for m in s.part.moves)]

    # --- lanes -------------------------------------------------------------------------

    def outlet(self, seat: Seat, role: str, index: int | None) -> DurableOutlet:
        """The lane from `seat` to one instance of `role`, or to all with None."""
        found = seat.outbox.outlets.get((role, index))
        if isinstance(found, DurableOutlet):
            return found
        channel: Channel = (role, index, seat.role, seat.index)
        mixed = (seat.role, role) in self._cast.mixed
        if mixed:
            self._stiles.keep(self._place.lane(*channel), seat.index, role, to_all=index is None)
        made = DurableOutlet(
            seat.outbox,
            self._place.lane(*channel),
            role,
            index,
            self._cast.listeners(seat.role, seat.index, role, index),
            self._switchboard.broker.max_payload - 1024,
            self._said.pop(channel, {}),
            self._recalls[seat.index].depart,
            partial(self._unsaid.subtract, (seat.index,)),
            partial(self._sealing.message, seat.context.identity, role),
            seat.part.instance_name(role, index) if index is not None else f"all of {role}",
            "" if mixed else self._place.live(*channel),
        )
        if self._failed:
            made.room = 0
        seat.outbox.outlets[role, index] = made
        return made

    def _publish(self, subject: str, data: bytes) -> asyncio.Future[int] | None:
        try:
            return self._sink.hand_over(subject, data)
        except PavaneError as error:
            self._player.fail(error, "the runtime")
            return None

    def _flush_one(self, index: int) -> None:
        self.seats[self._player.assignment.role, index].outbox.flush()

    def flush(self) -> None:
        for seat in self.seats.values():
            seat.outbox.flush()

    # --- credit ------------------------------------------------------------------------

    def _acknowledge(self, role: str, index: int, lane: Lane) -> None:
        inlet = lane.inlet
        who, ack, control = how_far(lane, index)
        frame = Frame(self._cast.fingerprint, ack=ack, control=control)
        self._say(self._place.live(inlet.role, inlet.index, role, who), frame)

    def ask_again(self) -> None:
        """Ask for the credit of every lane on which somebody waits for it."""
        frame = Frame(self._cast.fingerprint, control=Control(AGAIN))
        for seat in self.seats.values():
            for (role, index), outlet in seat.outbox.outlets.items():
                if isinstance(outlet, DurableOutlet) and outlet.is_waited_for:
                    self._say(self._place.live(role, index, seat.role, seat.index), frame)

    def _say(self, subject: str, frame: Frame) -> None:
        """Outside the log; should it be lost, it is said, or asked for, again."""
        self._sink.say(subject, encode(frame))

    def heard(self, role: str, control: Control) -> None:
        if control.verb == AGAIN:
            for seat in self.seats.values():
                seat.mailbox.acknowledge_all()
        else:
            self.company.heard(role, control)

    def _say_of_unit(self, role: str, index: int | None, control: Control) -> None:
        unit = self._player.assignment
        subject = self._place.live(role, index, unit.role, unit.start)
        self._say(subject, Frame(self._cast.fingerprint, control=control))

    # --- looking -----------------------------------------------------------------------

    def number_of(self, index: int) -> int:
        """How many steps an instance has taken."""
        return self._recalls[index].number

    def _is_caught_up(self, seat: Seat) -> bool:
        """Whether an instance has done all that the log has of it."""
        return not self._unsaid[seat.index] and self._recalls[seat.index].is_over

    def _is_recorded(self, index: int) -> bool:
        """Whether the log has something of an instance that follows what it takes next."""
        recall = self._recalls[index]
        return (
            self._unsaid[index] > 0
            or not recall.is_over
            or recall.last_move > recall.moves
            or index in self._ended
        )

    def waits(self, seat: Seat) -> bool:
        """Whether an instance waits for a message, for credit, or for what is not in the log."""
        if isinstance(seat.deadlines, RecordedDeadlines) and seat.deadlines.is_limiting:
            return True
        outlets = seat.outbox.outlets.values()
        credit = any(isinstance(o, DurableOutlet) and o.is_waited_for for o in outlets)
        return credit or (isinstance(seat.mailbox, DurableMailbox) and seat.mailbox.is_waited_for)

    def _progress(self) -> int:
        return sum(
            seat.tally.sent + seat.tally.received + self.number_of(seat.index)
            for seat in self.seats.values()
        )

    def state_of(self, seat: Seat) -> list[tuple[str, int, int, int]]:
        """How far every lane of an instance has come, in a fixed order."""
        said = [
            (f"to {role}", -1 if index is None else index, outlet.next, 0)
            for (role, index), outlet in seat.outbox.outlets.items()
        ]
        heard = [
            (f"from {inlet.role}", inlet.index, inlet.alone.read, _to_all(inlet))
            for inlet in seat.mailbox.inlets.values()
        ]
        return sorted(said + heard)

    # --- the end -----------------------------------------------------------------------

    def finish(self, seat: Seat) -> None:
        """The function of `seat` has returned. Raises `Departure` where its log has more."""
        seat.count_all()
        self._recalls[seat.index].finish()
        for outlet in seat.outbox.outlets.values():
            if isinstance(outlet, DurableOutlet):
                outlet.finish()
        for (role, index, _, sender), messages in self._said.items():
            if sender == seat.index and messages:
                number, message = min(messages.items())
                to = seat.part.instance_name(role, index) if index is not None else role
                step = f"message {number} to {to}"
                self._recalls[seat.index].depart(step, message.label, "its end")

    def fail(self, error: PavaneError, culprit: str) -> None:
        self._player.fail(error, culprit)

    def stop(self, error: PavaneError, culprit: str, for_others: PavaneError) -> None:
        """Let everyone hear at the next step that it is over, and why."""
        self.backlog.flush()
        self._failed = True
        self.post.closed = True
        for seat in self.seats.values():
            if seat.deadlines is not None:
                seat.deadlines.end()
            seat.mailbox.fail(error if seat.name == culprit else for_others)
            seat.count_all()
            for outlet in seat.outbox.outlets.values():
                outlet.room = 0
                outlet.wake()

    def close(self) -> None:
        self.backlog.close()
        self.post.closed = True
        for seat in self.seats.values():
            if seat.deadlines is not None:
                seat.deadlines.end()

    async def end_journals(self) -> None:
        """Nothing more will be charged to the instances, or recorded of them."""
        charged = self._charged()
        for start in range(0, len(charged), AT_ONCE):
            batch = charged[start : start + AT_ONCE]
            await asyncio.gather(*(self.pipeline.finish(seat.context) for seat in batch))

    async def leave_journals(self) -> None:
        """Another worker will go on with them, if anybody does."""
        for seat in self._charged():
            await self.pipeline.leave(seat.context)

    def refused(self, subject: str, reason: str) -> None:
        """A frame was dropped that concerns nobody here."""
        self._tell(FrameRefused(self.id, subject, reason))

    def _tell(self, event: Event) -> None:
        record(event)
        if self._observe is not None:
            self._observe(event)


def _to_all(inlet: Inlet) -> int:
    return inlet.to_all.read if inlet.to_all is not None else 0
