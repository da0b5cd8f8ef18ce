"""The user's view of a session: one role instance, saying and hearing what its machine allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...broker.frame import Message
from ...effects.resilience.retry import Retry
from ...language.errors import PavaneError
from ...language.monitor import Whom
from ...language.table import Step
from ..outcome import Tally
from ..part import Move
from . import calls, ways
from .deadlines import TimeLimit
from .listener import Listener, Received, unfit
from .seat import Seat
from .speaker import Speaker, whom
from .spread import Spread
from .ways import SerialWays

if TYPE_CHECKING:
    from ...effects.programs.program import Program
    from ..runtime import Runtime

T = TypeVar("T")


class Endpoint:
    """`me` in a role function. It lives as long as the session; use it from its own event loop.

    Every step is checked against the role's local machine before anything happens: a step it
    does not allow raises `ProtocolViolation`, and so does a peer's message when it is read.
    When the session fails elsewhere, the next use raises why.
    """

    __slots__ = ("_inlets", "_listener", "_mailbox", "_monitor", "_outlets", "_random",
                 "_receives", "_seat", "_sends", "_serial", "_speaker", "_spreads", "_tally")  # fmt: skip

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._monitor = seat.monitor
        self._mailbox = seat.mailbox
        self._sends = seat.part.sends
        self._receives = seat.part.receives
        self._tally = seat.tally
        self._random: Random | None = None
        self._speaker = Speaker(seat)
        self._listener = Listener(seat)
        is_open = ways.are_open(seat)
        self._outlets, self._inlets = ways.laid_out(seat, is_open=is_open)
        self._serial: SerialWays | None = None
        if is_open and seat.ahead is not None:
            self._serial = SerialWays(seat, self._outlets, self._inlets)
        self._spreads: dict[int, Spread | None] | None = None
        if is_open and any(m.bare and not m.plain and m.step.sends for m in seat.part.moves):
            self._spreads = {}

    @property
    def seat(self) -> Seat:
        """What stands behind this endpoint; for the runtime's own floor."""
        return self._seat

    # --- who I am ------------------------------------------------------------------------

    @property
    def role(self) -> str:
        return self._seat.role

    @property
    def index(self) -> int:
        """Which instance of a family this is; 0 for a plain role."""
        return self._seat.index

    @property
    def name(self) -> str:
        """`Leader`, `Followers[2]`."""
        return self._seat.name

    @property
    def session(self) -> str:
        return self._seat.session.id

    @property
    def tally(self) -> Tally:
        """What this instance came to so far: messages, charges, facts, receipts, denials."""
        self._seat.count_all()
        return self._tally

    def size(self, role: str) -> int:
        """How many instances a family has; 1 for a plain role."""
        return self._seat.part.sizes[role] or 1

    @property
    def identity(self) -> str:
        """Who plays this instance, as `Choreography.identify` was told; else its name."""
        return self.device(self.role, self.index)

    def device(self, role: str, index: int) -> str:
        """Who plays `role[index]`; its name (`Signers[2]`) where no identities were given."""
        known = self._seat.session.devices.get(role)
        return self._seat.part.instance_name(role, index) if known is None else known[index]

    @property
    def expected(self) -> tuple[str, ...]:
        """The steps allowed now, as `Seller!Offer` and `Seller?Answer`."""
        return self._monitor.expected()

    @property
    def is_over(self) -> bool:
        """Whether this role may stop here."""
        return self._monitor.is_final

    # --- sending -------------------------------------------------------------------------

    async def send(self, label: str, *values: Any, to: str | None = None, **fields: Any) -> None:
        """Send a message; the payload as values or as fields by name.

        `to` (`"Role"`, `"Role[2]"`) is needed only where the label alone could mean several
        receivers. A step to `W[*]` sends to all of them at once. Returns when the message
        is on its way; waits only while the receiver is a whole window behind. Raises
        `ProtocolViolation` for a step not allowed, `PayloadError` for a payload that does
        not fit, the effects' errors (`CapabilityDenied`, ...) for a message refused: in all
        these cases nothing was sent and the role stands where it stood.
        """
        if to is None:
            monitor = self._monitor
            move = self._sends[monitor.state.number].get(label)
            if move is not None:
                outlet = self._outlets[move.number]
                if outlet is not None and outlet.room > 0 and not self._seat.chosen:
                    outlet.put(label, move.encode(values, fields), move.branches)
                    monitor.enter(move.target)
                    self._tally.sent += 1
                    return
            elif self._spreads is not None:
                step = monitor.sending(label)
                if step is not None and self._spread(step, values, fields):
                    return
            if move is not None and move.serial:
                await self._send_serial(move, values, fields)
                return
        await self._send_the_long_way(label, whom(to), values, fields)

    async def _send_serial(
        self, move: Move, values: tuple[Any, ...], fields: dict[str, Any]
    ) -> None:
        """Send an annotated message; where the same may follow it, what follows need only be counted."""
        label = move.step.label
        await self._send_the_long_way(label, None, values, fields)
        again = self._sends[self._monitor.state.number].get(label) is move
        if again and self._serial is not None:
            self._serial.begin_series(move)

    async def _send_the_long_way(
        self, label: str, to: Whom | None, values: tuple[Any, ...], fields: dict[str, Any]
    ) -> None:
        await self._read_selections()
        await self._speaker.send(label, to, lambda move: move.pack(values, fields))

    def _spread(self, step: Step, values: tuple[Any, ...], fields: dict[str, Any]) -> bool:
        """Send to a family, or to all, at once, if nothing but a check of the payload is needed."""
        assert self._spreads is not None
        number = step.number
        if number not in self._spreads:
            self._spreads[number] = Spread.of(self._seat, step)
        spread = self._spreads[number]
        if spread is None or self._seat.chosen or self._speaker.is_busy or not spread.has_room:
            return False
        spread.put(spread.move.pack(values, fields))
        self._monitor.advance(spread.last)
        self._tally.sent += spread.copies
        return True

    async def send_raw(self, label: str, raw: Any, *, to: str | None = None) -> None:
        """As `send`, with the payload as it stands on the wire: plain builtins."""

        def checked(move: Move) -> Any:
            move.unpack(raw)
            return raw

        await self._read_selections()
        await self._speaker.send(label, whom(to), checked)

    async def choose(self, branch: str) -> None:
        """Decide for a branch: tell those who could not know it, and keep the next send to it.

        Needed only where the labels of the messages do not tell, as for a branch without any.
        """
        await self._read_selections()
        await self._speaker.choose(branch)

    def set(self, **values: Any) -> None:
        """Give values to the names that this role's guards use."""
        self._seat.values.update(values)

    # --- time ----------------------------------------------------------------------------

    def deadline(self) -> TimeLimit:
        """The time that the protocol leaves for the present choice, as a block:

            async with me.deadline() as late:
                decision = await ask_somebody()
            if late.passed:
                await me.send("TooLate")

        The block is cancelled when the choice's `timeout` branch becomes the only one, and
        `late.passed` tells. If it does not, the next step counts as taken in time. Where no
        timeout branch waits, nothing happens.
        """
        deadlines = self._seat.deadlines
        return deadlines.limit() if deadlines is not None else TimeLimit(None, None)

    @property
    def time_left(self) -> float | None:
        """Seconds until this role's next step, or its decision, must have been made; None where
        the protocol sets no time."""
        deadlines = self._seat.deadlines
        return deadlines.left() if deadlines is not None else None

    # --- receiving -----------------------------------------------------------------------

    async def receive(self, label: str | None = None, *, sender: str | None = None) -> Any:
        """The payload of the next message, which must be `label` (and from `sender`) if given.

        A gather (`W[*] -> A`) waits for every instance and returns a dict by index.
        """
        if label is not None and sender is None:
            monitor = self._monitor
            move = self._receives[monitor.state.number].get(label)
            if move is not None:
                inlet = self._inlets[move.number]
                # In another turn the right of who sends a serial one is to be looked at anew.
                if inlet is not None and (inlet.queue or not move.serial):
                    step = move.step
                    while not inlet.queue:
                        await self._mailbox.arrival()
                    message = inlet.queue[-1]
                    if message.label == label and monitor.state is step.source:
                        inlet.take()
                        try:
                            if type(message) is Message:
                                value = move.decode(message.payload)
                            else:
                                value = inlet.opened(move, message)
                        except PavaneError as error:
                            raise unfit(self._seat, inlet, step, error) from error
                        monitor.enter(move.target)
                        self._tally.received += 1
                        return value
                payload = (await self._listener.offer(label, None)).payload
                if move.serial and self._serial is not None:
                    self._serial.admit(move)
                return payload
        return (await self._listener.offer(label, whom(sender))).payload

    async def offer(self) -> Received:
        """The next message, whichever branch the peer took: match on its label or branch."""
        return await self._listener.offer()

    async def _read_selections(self) -> None:
        """Where this role waits to be told a branch, read it before sending in that branch."""
        while self._monitor.state.selects and not self._monitor.state.sends:
            if not await self._listener.narrow():
                return

    async def finish(self) -> None:
        """Read the selections that end the role's part; called when its function has returned."""
        while not self._monitor.is_final and self._monitor.state.selects:
            if self._monitor.state.sends or not await self._listener.narrow():
                return

    # --- the world -----------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        """What this role is played on, be it a worker's or that of who started the session: to start
        other sessions there, inside `run`. See also `pavane.delegate`."""
        runtime = self._seat.session.around.runtime
        assert runtime is not None, "every session is played on one"
        return runtime

    @property
    def input(self) -> Any:
        """What the session was started with, the same for all roles; None if nothing."""
        return self._seat.session.input

    @overload
    async def run(
        self, function: Callable[..., Awaitable[T]], *args: Any, retry: Retry | None = None,
        timeout: float | None = None, name: str = "",
    ) -> T: ...  # fmt: skip
    @overload
    async def run(
        self, function: Callable[..., T], *args: Any, retry: Retry | None = None,
        timeout: float | None = None, name: str = "",
    ) -> T: ...  # fmt: skip
    async def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        retry: Retry | None = None,
        timeout: float | None = None,
        name: str = "",
    ) -> Any:
        """Call `function`, async or not, and return what it returns, as its return annotation
        says, or in plain builtins. For everything whose result is not always the same.

        A durable session records the result. A role that is played again gets it from the log,
        and the call is not made again, unless the worker died while it was made: then it is made
        once more. `name` tells it from others in the log; the function's own if empty. Raises
        `CallFailed` for what it raised in the last attempt, which is recorded as well, and
        `NotRecordable`.
        """
        self._seat.check()
        name = name or calls.named(function)
        around = calls.around(retry, timeout)
        made = self._seat.session.calls
        data = await made.run(self._seat, name, lambda: function(*args), around)
        return calls.unpacked(data, function, name)

    async def now(self) -> float:
        """The time in seconds since 1970; recorded as by `run`."""
        self._seat.check()
        return await self._seat.session.calls.now(self._seat)

    async def sleep(self, seconds: float) -> None:
        """Wait. In a durable session it is the moment of waking that is recorded: however often
        the role is played again meanwhile, it sleeps no longer."""
        self._seat.check()
        await self._seat.session.calls.sleep(self._seat, seconds)
        self._seat.check()

    async def perform(self, effect: object) -> Any:
        """Do an extension's effect, as `ExtensionRegistry.performs` was told for its type; recorded as
        by `run`. Raises `UnregisteredEffect`, and `CallFailed` for what that function raised."""
        kind = type(effect)
        performer = self._seat.session.pipeline.registry.performer_for(kind, self.role)
        return await self.run(performer, effect, name=kind.__name__)

    def admit(self, program: Program) -> None:
        """Raise `ProgramDeparts` unless `program` can be played from here. A program that is played
        asks this itself, before its first operation."""
        from ..programs.fitting import fit  # loaded where there is a program

        registry = self._seat.session.pipeline.registry
        fit(program, self._seat.part, self._monitor, registry, whole=False)

    def random(self) -> Random:
        """Random numbers that are the same whenever this instance of this session is played."""
        if self._random is None:
            self._random = calls.seeded(self.session, self.name)
        return self._random

    @property
    def values(self) -> Mapping[str, Any]:
        """The names that guards may use, with their values."""
        return self._seat.values
