"""The receiving side of an endpoint: which message comes next, and is it allowed?"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from ...broker.errors import FrameError
from ...broker.frame import Message
from ...effects.errors import EffectError
from ...effects.pipeline.pipeline import Heard
from ...language.errors import PavaneError, ProtocolViolation
from ...language.monitor import Whom
from ...language.table import Step
from ..around import opened
from ..events import MessageReceived
from ..mailbox.inlet import Inlet
from .seat import Seat, Source


@dataclass(frozen=True, slots=True)
class Received:
    """What `offer` returns. `branches` are the choices that it decided, outermost first,
    as its sender says, and `branch` is the last of them; a branch that begins without a message for this role has its
    own name as label and None as payload. A gather has index None and a dict as payload."""

    label: str
    payload: Any
    sender: str
    index: int | None
    branches: tuple[str, ...] = ()

    @property
    def branch(self) -> str:
        return self.branches[-1] if self.branches else ""


class Listener:
    """Receives for one seat."""

    __slots__ = ("_seat", "_waited")

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._waited = 0.0

    async def offer(self, label: str | None = None, sender: Whom | None = None) -> Received:
        """The next message (named `label`, from `sender`, where given), selections read away."""
        branches: list[str] = []
        while True:
            began = perf_counter()
            step, inlets = await self._next(label, sender)
            self._waited = perf_counter() - began
            if self._seat.deadlines is not None:
                await self._seat.deadlines.hear()
            if inlets:  # none where a family of one gathers from all of itself
                branches += inlets[0].head.branches
            if not step.selection:
                try:
                    received = self._received(step, inlets, tuple(branches))
                except EffectError:
                    await self._seat.session.pipeline.arrival_refused()
                    raise
                await self._merge(step, inlets)
                return received
            source = inlets[0]
            self._take(step, source)
            if label is None and not self._seat.monitor.state.receives:
                name = step.branches[0]
                return Received(name, None, source.role, source.index, tuple(branches))

    async def narrow(self) -> bool:
        """Read one selection, if that is what comes next; a message stays where it is."""
        step, inlets = await self._next(None, None)
        if self._seat.deadlines is not None:
            await self._seat.deadlines.hear()
        if step.selection:
            self._take(step, inlets[0])
        return step.selection

    # --- what comes next ---------------------------------------------------------------

    async def _next(self, label: str | None, sender: Whom | None) -> tuple[Step, list[Inlet]]:
        """Wait for a step of which everything has arrived: one inlet, or all of a gather."""
        seat = self._seat
        settled: Source | None = None
        while True:
            seat.check()
            wanted = self._wanted(label, sender)
            if seat.settle is not None and settled is None and self._is_open(wanted):
                settled = await seat.settle(lambda: self._speaking(label, sender))
                continue
            if settled is not None:
                wanted = [step for step in wanted if step.meets(*settled, seat.index)]
            if len(wanted) == 1 and wanted[0].collective:
                return wanted[0], await self._gather(wanted[0])
            ready = self._ready(label, wanted)
            if ready is not None:
                return ready
            await seat.mailbox.arrival()

    def _ready(self, label: str | None, wanted: list[Step]) -> tuple[Step, list[Inlet]] | None:
        """The first of `wanted` of which everything has arrived."""
        for step in wanted:
            inlets = self._inlets(step)
            if step.collective:
                if all(self._head(inlet, step) for inlet in inlets):
                    return step, inlets
            elif inlets[0].queue:
                return self._matching(inlets[0], label, wanted), inlets
        return None

    def _is_open(self, wanted: list[Step]) -> bool:
        """Whether it is for the senders to settle which of `wanted` comes first."""
        first = wanted[0].partners(self._seat.role, self._seat.index)
        return any(
            step.peer_role != wanted[0].peer_role
            or step.partners(self._seat.role, self._seat.index) != first
            for step in wanted[1:]
        )

    def _speaking(self, label: str | None, sender: Whom | None) -> Source | None:
        """Who is heard if nobody else is waited for."""
        ready = self._ready(label, self._wanted(label, sender))
        return None if ready is None else (ready[1][0].role, ready[1][0].index)

    async def _gather(self, step: Step) -> list[Inlet]:
        """Wait for one sender after the other, so that each arrival is looked at once."""
        inlets = self._inlets(step)
        for inlet in inlets:
            while not self._head(inlet, step):
                await self._seat.mailbox.arrival()
        return inlets

    def _wanted(self, label: str | None, sender: Whom | None) -> list[Step]:
        """The receives of this state that fit; selections always do."""
        monitor = self._seat.monitor
        steps = [
            step
            for step in monitor.receives()
            if step.selection
            or (
                (label is None or step.label == label)
                and (sender is None or sender.fits(step, monitor.own))
            )
        ]
        if not steps:
            raise monitor.refuse(f"?{label or 'any message'}", sender)
        return steps

    def _inlets(self, step: Step) -> list[Inlet]:
        seat = self._seat
        found: list[Inlet] = []
        for index in step.partners(seat.role, seat.index):
            inlet = seat.mailbox.inlet(step.peer_role, index)
            assert inlet is not None, "a machine hears whom it receives from"
            found.append(inlet)
        return found

    def _head(self, inlet: Inlet, step: Step) -> bool:
        """Whether the first message of one sender of a gather is there, and is the right one."""
        if not inlet.queue:
            return False
        label = inlet.head.label
        if label != step.label and not self._seat.monitor.receiving(inlet.role, inlet.index, label):
            raise self._wrong(inlet, label)
        return label == step.label

    def _matching(self, inlet: Inlet, label: str | None, wanted: list[Step]) -> Step:
        """The step for the first message of `inlet`."""
        found = inlet.head.label
        step = self._seat.monitor.receiving(inlet.role, inlet.index, found)
        if step is None:
            raise self._wrong(inlet, found)
        if any(step.number == other.number for other in wanted):
            return step
        monitor = self._seat.monitor
        raise ProtocolViolation(
            f"{monitor.name} asks for {label}, but {inlet.name} sent {found}",
            role=monitor.name,
            state=monitor.state.number,
            expected=monitor.expected(),
            got=f"?{label}",
            hint="where a peer chooses, take what comes: `got = await me.offer()`, then match on it",
        )

    def _wrong(self, inlet: Inlet, label: str) -> ProtocolViolation:
        monitor = self._seat.monitor
        expected = monitor.expected()
        return ProtocolViolation(
            f"{inlet.name} sent {monitor.name} {label}, which is not allowed now; "
            f"allowed: {', '.join(expected)}",
            role=inlet.name,
            state=monitor.state.number,
            expected=expected,
            got=f"{inlet.name}?{label}",
            hint=f"{inlet.name} does not follow the protocol; this session is over",
        )

    # --- in ----------------------------------------------------------------------------

    def _received(self, step: Step, inlets: list[Inlet], branches: tuple[str, ...]) -> Received:
        if step.collective:
            gathered = {inlet.index: self._take(step, inlet, more=True) for inlet in inlets}
            self._seat.advance(step)
            return Received(step.label, gathered, step.peer_role, None, branches)
        inlet = inlets[0]
        index = inlet.index if self._seat.part.sizes.get(inlet.role) is not None else None
        return Received(step.label, self._take(step, inlet), inlet.role, index, branches)

    def _take(self, step: Step, inlet: Inlet, *, more: bool = False) -> Any:
        """Read one message: check its sender's right and its payload, then step."""
        seat = self._seat
        message = inlet.take()
        if seat.trace is not None:
            trace = message.parts.trace if message.parts is not None else None
            seat.trace.arrived(seat.name, inlet.name, step.label, trace)
        payload = None if step.selection else self._open(step, inlet, message)
        if not more:
            seat.advance(step)
        if not step.selection:
            seat.tally.received += 1
            seat.note(step.label, payload)
        if seat.observe is not None:
            seat.observe(
                MessageReceived(
                    session=seat.session.id,
                    receiver=seat.name,
                    sender=inlet.name,
                    label=step.label,
                    step=step.action.step,
                    selection=step.selection,
                    waited=self._waited,
                )
            )
        return payload

    def _open(self, step: Step, inlet: Inlet, message: Message) -> Any:
        seat = self._seat
        move = seat.part.moves[step.number]
        if move.arrival is not None:
            sender = seat.identity_of(inlet.role, inlet.index)
            to_all = type(message) is not Message
            heard = Heard(seat.index, message.sequence, to_all, inlet.heard)
            seat.session.pipeline.check_arrival(step.action, inlet.token or b"", sender, heard)
        try:
            return move.unpack(move.read(self._unsealed(step, inlet, message)))
        except (FrameError, PavaneError) as error:
            raise unfit(seat, inlet, step, error) from error

    def _unsealed(self, step: Step, inlet: Inlet, message: Message) -> bytes:
        seat = self._seat
        if seat.codec is None:
            return message.payload
        sender = seat.identity_of(inlet.role, inlet.index)
        return opened(seat.codec, sender, seat.role, step.label, message.payload)

    async def _merge(self, step: Step, inlets: list[Inlet]) -> None:
        """Join the senders' journals into this role's, where the step says so."""
        seat = self._seat
        arrival = seat.part.moves[step.number].arrival
        if arrival is not None and arrival.merges:
            for inlet in inlets:
                sender = seat.identity_of(inlet.role, inlet.index)
                await seat.session.pipeline.after_arrival(seat.context, step.action, sender)


def unfit(seat: Seat, inlet: Inlet, step: Step, error: PavaneError) -> ProtocolViolation:
    """The violation of a peer whose payload does not fit its declaration."""
    return ProtocolViolation(
        f"{inlet.name} sent {seat.name} {step.label} with a payload that does not fit: "
        f"{error.message}",
        role=inlet.name,
        state=seat.monitor.state.number,
        expected=(step.label,),
        got=step.label,
        hint=f"{inlet.name} does not follow the protocol; this session is over",
    )
