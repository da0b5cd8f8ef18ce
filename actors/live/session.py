"""One live session in this process: its seats, their lanes, and how it ends.

set-up: subscribe for every role played here. running: one task for each instance. tear-down:
whatever happened, no subscription and no task is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from ...broker import subjects
from ...broker.errors import BrokerError
from ...broker.frame import Abort, Control, Frame, encode, framer
from ...effects.identity import Identity, SendContext
from ...effects.pipeline.pipeline import Pipeline
from ...language.errors import PavaneError
from ..around import NOTHING, Around, SessionTrace
from ..cast import Cast
from ..devices import Devices
from ..endpoint.calls import LiveCalls
from ..endpoint.clock import Clock, LoopClock
from ..endpoint.seat import Seat
from ..errors import (
    CallFailed,
    PeerFailed,
    RoleFailed,
    SessionAborted,
    SessionCancelled,
    SessionLost,
    interrupted,
)
from ..events import Event, FrameRefused, SessionEnded, SessionOpened
from ..limits import Limits
from ..log import record, told
from ..mailbox.audience import how_far
from ..mailbox.inlet import Lane
from ..mailbox.mailbox import Mailbox
from ..mailbox.outlet import Outlet
from ..mailbox.switchboard import Ear, Switchboard, silence
from ..outcome import Outcome
from ..part import Part
from ..playing import Implementation, failure_of, play
from ..programs.admission import fitting
from ..wallet import Held
from .ensemble import play_together
from .outbox import LiveOutbox
from .post import Post
from .presence import Presence
from .recovery import Recovery

AGAIN = "again"
"""The control verb that asks for what is not acknowledged to be sent once more."""

PARTING = 1.0
"""Seconds for the last words to a broker that was not there before."""

AT_ONCE = 256
"""How many instances' journals are ended together."""

GRACE = 0.25
"""Seconds that role functions get to end by themselves after the session has failed; then they
are cancelled, and may still clean up."""


class Session:
    """Plays the `implementations` of some or all roles of `cast`. Use it once: `await run()`.

    `tokens` are the instances' capability tokens by instance name. `clock` is what its
    timeouts are measured by: the event loop's unless another is given. `given` is the input that
    all roles can read.
    """

    def __init__(
        self,
        session: str,
        cast: Cast,
        switchboard: Switchboard,
        pipeline: Pipeline,
        implementations: Mapping[str, Implementation],
        *,
        tokens: Callable[[Identity], Held],
        observe: Callable[[Event], None] | None = None,
        devices: Devices | None = None,
        clock: Clock | None = None,
        given: Any = None,
        around: Around = NOTHING,
    ) -> None:
        self.id = subjects.token(session)
        self.around = around
        self.limits = Limits(self.id, self._tell)
        self._opened = False
        self.trace: SessionTrace | None = None
        if around.tracer is not None:
            leads = next(iter(cast.parts)) in implementations
            self.trace = around.tracer.session(self.id, cast.namespace, cast.name, leads=leads)
        self.input = given
        self.devices: Devices = devices or {}
        self.pipeline = pipeline
        self.failure: PavaneError | None = None
        self._cast = cast
        self._switchboard = switchboard
        self._broker = switchboard.broker
        self._implementations = implementations
        self._tokens = tokens
        self._observe = observe
        self._clock: Clock = clock or LoopClock()
        self.calls = LiveCalls(self._clock)
        self._loop = asyncio.get_running_loop()
        self._seats: dict[tuple[str, int], Seat] = {}
        self._post = Post(self, self.id, cast.fingerprint, self._seats)
        self._values: dict[str, dict[int, Any]] = {}
        self._scope = anyio.CancelScope()
        self._presence: Presence | None = None
        if implementations.keys() != cast.parts.keys():
            self._presence = Presence(
                cast,
                implementations.keys(),
                self._send,
                lambda role, reason: self.fail(SessionAborted(self.id, role, reason), role),
                self.trace.offer if self.trace is not None else "",
                lambda: self._recovery is not None and self._recovery.is_away,
            )
        self._recovery: Recovery | None = None
        self._grace: asyncio.TimerHandle | None = None
        # One bound method each for all instances.
        self._lanes = (framer(cast.fingerprint), self._broker.publish, switchboard.turn, self.lost)
        self._acknowledge = self._say_how_far
        for role in implementations:
            for part in cast.parts[role]:
                for index in part.instances():
                    self._seats[role, index] = self._seat(part, index)

    # --- set-up ------------------------------------------------------------------------

    def _seat(self, part: Part, index: int) -> Seat:
        family = index if part.is_family else None
        who = Identity(self._cast.namespace, self._cast.name, self.id, part.role, family)
        held = self._tokens(who)
        context = SendContext(who, held.token)
        outbox = LiveOutbox(*self._lanes)
        mailbox = Mailbox(part, index, self._acknowledge, outbox.flush)
        mailbox.slow = self.limits.mailbox
        seat = Seat(self, part, index, mailbox, outbox, context, self._observe, self._clock)
        seat.held = held
        return seat

    async def admit(self) -> None:
        """Refuse roles that could not make their sends, before the first message."""
        fitting(self._cast, self._implementations, self.devices, self.pipeline)
        for role in self._implementations:
            for part in self._cast.parts[role]:
                sends = [m.step.action for m in part.moves if m.plan is not None]
                if sends or any(m.arrival is not None for m in part.moves):
                    await self.pipeline.admit(self._seats[role, part.start].context, sends)

    async def _listen(self) -> list[Ear]:
        return await self._switchboard.listen(
            self._cast.namespace,
            self._cast.name,
            self._implementations,
            self.id,
            self._post.deliver,
            self.lost,
        )

    # --- running -----------------------------------------------------------------------

    async def run(self, patience: float = 0.0) -> Outcome:
        """Play to the end, once the roles played elsewhere are there, which may take `patience`
        seconds. Raises what ended the session early."""
        begun = self._loop.time()
        await self.admit()
        ears = await self._listen()
        try:
            with self._scope:
                if self._presence is not None:
                    await self._presence.begin(patience)
                if self.trace is not None:
                    self.trace.begin(self._presence.offered if self._presence is not None else {})
                self._tell(self._opening())
                self._opened = True
                await play_together(
                    self._play(seat, self._implementations[role])
                    for (role, _), seat in self._seats.items()
                )
                if self.failure is None and self._presence is not None:
                    await self._presence.leave()
        except PavaneError as error:
            self.fail(error, "the runtime")
        except BaseException as error:
            self.fail(SessionAborted(self.id, "the runtime", "cancelled"), "the runtime")
            self._end(type(error).__name__, begun)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._tear_down(ears)
        self._end(told(self.failure) if self.failure else "", begun)
        if self.failure is not None:
            raise interrupted(self.failure)
        return self._outcome()

    async def _play(self, seat: Seat, implementation: Implementation) -> None:
        try:
            if self.trace is None:
                value = await play(seat, implementation)
            else:
                with self.trace.playing(seat.name):
                    value = await play(seat, implementation)
            self._values.setdefault(seat.role, {})[seat.index] = value
        except BaseException as error:  # noqa: BLE001
            self.fail(failure_of(error, self.id, seat.name), seat.name)

    def _outcome(self) -> Outcome:
        values = {
            role: self._values[role]
            if self._cast.sizes[role] is not None
            else self._values[role][0]
            for role in self._implementations
        }
        return Outcome(self.id, values, {s.name: s.tally for s in self._seats.values()})

    # --- the end -----------------------------------------------------------------------

    def fail(self, error: PavaneError, culprit: str) -> None:
        """End the session because of `error` at `culprit`; only the first time counts."""
        if self.failure is not None:
            return
        self.failure = error
        self._post.closed = True
        for seat in self._seats.values():
            if seat.deadlines is not None:
                seat.deadlines.end()
            seat.mailbox.fail(error if seat.name == culprit else self._for_others(error, culprit))
            for outlet in seat.outbox.outlets.values():
                outlet.room = 0
                outlet.wake()
        self._grace = self._loop.call_later(GRACE, self._scope.cancel)
        self._tell_elsewhere(error, culprit)

    def cancel(self, who: str, reason: str) -> None:
        """End the session: every role hears at its next step. Does nothing if it has failed."""
        self.fail(SessionCancelled(self.id, who, reason), who)

    def _tell_elsewhere(self, error: PavaneError, culprit: str) -> None:
        """Let the other processes know."""
        said = error.reason if isinstance(error, SessionCancelled) else error.message
        if self.around.codec is not None and isinstance(error, RoleFailed | CallFailed):
            # What an exception says may have a payload in it, and goes out in clear.
            said = told(error)
        abort = Abort(said[:1000], error.code, culprit[:200])
        self._send_elsewhere(Frame(self._cast.fingerprint, abort=abort))

    def _send_elsewhere(self, frame: Frame) -> None:
        """From the first role played here to all that are not."""
        local, data = next(iter(self._implementations)), encode(frame)
        for role in self._cast.parts:
            if role not in self._implementations:
                self._send(local, role, data)

    def _for_others(self, error: PavaneError, culprit: str) -> PavaneError:
        if isinstance(error, SessionCancelled):
            return error
        if isinstance(error, RoleFailed):
            return PeerFailed(self.id, culprit, error.message)
        return SessionAborted(self.id, culprit, error.message)

    async def _tear_down(self, ears: list[Ear]) -> None:
        if self._presence is not None:
            self._presence.cancel()
        if self._recovery is not None:
            self._recovery.cancel()
        if self._grace is not None:
            self._grace.cancel()
        for seat in self._seats.values():
            seat.outbox.flush()
            if seat.deadlines is not None:
                seat.deadlines.end()
        await silence(ears)
        if self.failure is None:
            await self._end_journals()
            return
        try:
            async with asyncio.timeout(PARTING if self.failure.retryable else None):
                await self._end_journals()
        except (PavaneError, TimeoutError) as error:
            # What ended the session is what its caller has to hear of.
            self.failure.add_note(f"the journals could not be ended: {error}")

    async def _end_journals(self) -> None:
        charged = [s for s in self._seats.values() if any(m.plan is not None for m in s.part.moves)]
        for start in range(0, len(charged), AT_ONCE):
            batch = charged[start : start + AT_ONCE]
            await asyncio.gather(*(self.pipeline.finish(seat.context) for seat in batch))

    # --- lanes -------------------------------------------------------------------------

    def outlet(self, seat: Seat, role: str, index: int | None) -> Outlet:
        """The lane from `seat` to one instance of `role`, or to all with None."""
        found = seat.outbox.outlets.get((role, index))
        if found is None:
            listeners = self._cast.listeners(seat.role, seat.index, role, index)
            subject = self._subject(role, index, seat.role, seat.index)
            found = Outlet(
                seat.outbox, subject, role, index, listeners, self._broker.max_payload - 1024
            )
            if self.failure is not None:
                found.room = 0
            seat.outbox.outlets[role, index] = found
        return found

    def _subject(self, role: str, index: int | None, sender: str, sender_index: int) -> str:
        cast = self._cast
        return subjects.message(
            cast.namespace, cast.name, role, index, self.id, sender, sender_index
        )

    def _publish(self, subject: str, data: bytes) -> None:
        try:
            self._broker.publish(subject, data)
        except BrokerError as error:
            self.lost(error.message)

    def _say_how_far(self, role: str, index: int, lane: Lane) -> None:
        """Say for `role[index]` how far `lane` has come."""
        inlet = lane.inlet
        who, ack, control = how_far(lane, index)
        frame = Frame(self._cast.fingerprint, ack=ack, control=control)
        self._publish(self._subject(inlet.role, inlet.index, role, who), encode(frame))

    def _recover(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(
                self._broker,
                self._cast,
                self._implementations,
                self._seats.values,
                lambda: self._send_elsewhere(Frame(self._cast.fingerprint, control=Control(AGAIN))),
                lambda reason: self.fail(SessionLost(self.id, reason), "the broker"),
            )
        return self._recovery

    def lost(self, reason: str) -> None:
        """Messages may have been lost: gaps are to be expected from now on."""
        if self.failure is None:
            self._post.recovering = True
            self._recover().begin(reason)

    # --- telling -----------------------------------------------------------------------

    def heard(self, role: str, control: Control) -> None:
        """A word of another process about the session itself."""
        if control.verb == AGAIN:
            self._post.recovering = True
            self._recover().asked()
            return
        if self._presence is not None:
            self._presence.heard(role, control)

    def _send(self, local: str, remote: str, frame: bytes) -> None:
        """From the first instance of a role played here to all of one played elsewhere."""
        self._publish(self._subject(remote, None, local, 0), frame)

    def refused(self, subject: str, reason: str) -> None:
        """A frame was dropped that concerns nobody here."""
        self._tell(FrameRefused(self.id, subject, reason))

    def _tell(self, event: Event) -> None:
        record(event)
        if self._observe is not None:
            self._observe(event)

    def _opening(self) -> SessionOpened:
        names = tuple(seat.name for seat in self._seats.values())
        return SessionOpened(self.id, self._cast.name, self._cast.namespace, names)

    def _end(self, error: str, begun: float) -> None:
        seconds = self._loop.time() - begun
        self._tell(SessionEnded(self.id, self._cast.name, error, seconds, self._opened))
        if self.trace is not None:
            self.trace.end(self.failure)
