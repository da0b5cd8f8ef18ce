"""What a unit has said and not yet handed over to its log.

Where messages come and go quickly, one by one, each is published live, as in a live session, and
goes into the log a moment later in one record with those that follow it: a round trip then takes
no longer than a live one, and some ten messages cost the stream one record and one ack.
What makes that safe is what lets a receiver act on a copy that is not stored yet (ADR 7): whatever
is lost with this process is said again, the same, by the one that plays the unit next. And before
anything outside the session can see a result, all of it is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ...broker.frame import Message
from ..mailbox.outlet import Outbox
from .lanes import DurableOutlet

HOLD = 0.01
"""Seconds that a message waits for others to share its record, at most."""

QUICK = 0.004
"""Seconds between two frames of a lane on which they come quickly."""

SETTLED = 8
"""How many frames after a result had to wait for the log go straight into it: where that happens
time and again, what waits would be waited for."""

FEW = 4
"""The most messages in a frame that is sent live by itself; a frame of many is a record at once."""

SMALL = 2048
"""Bytes of a frame that are not sent twice."""

MANY = 256
MUCH = 64 * 1024
"""Messages that wait, and bytes of them; with more they are handed over."""

Publish = Callable[[str, bytes], None]


class Gate:
    """What one instance has said, with the journal's word that each frame waits for."""

    __slots__ = ("held", "last")

    def __init__(self, last: asyncio.Future[None]) -> None:
        self.last = last
        self.held: deque[tuple[asyncio.Future[None], DurableOutlet, list[Message]]] = deque()


class Backlog:
    """Owned by the stage of a unit. `hand_over(subject, frame)` puts a frame into the log, in the
    order of the calls; `say(subject, frame)` publishes one outside of it."""

    def __init__(
        self,
        encode: Callable[[list[Message]], bytes],
        hand_over: Publish,
        say: Publish,
        limit: int,
    ) -> None:
        """`limit` is that of the broker for a payload, in bytes."""
        self._encode = encode
        self._hand_over = hand_over
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._much = min(MUCH, limit // 2)
        self._waiting: dict[str, list[Message]] = {}
        self._count = self._bytes = 0
        self._straight = SETTLED
        self._timer: asyncio.TimerHandle | None = None
        self._gates: dict[Outbox, Gate] = {}
        self._closed = False

    def gate(self, outbox: Outbox, stored: asyncio.Future[None]) -> None:
        """Keep what `outbox` says from now on until `stored` is done, which is so later than any
        that was given for it before."""
        gate = self._gates.get(outbox)
        if gate is None:
            gate = self._gates[outbox] = Gate(stored)
        elif gate.last is stored:
            return
        gate.last = stored
        stored.add_done_callback(lambda _: self._pass(outbox, gate))

    def add(self, outlet: DurableOutlet, batch: list[Message]) -> None:
        """Send one frame of `outlet`, as soon as it may leave."""
        gate = self._gates.get(outlet.outbox)
        if gate is None:
            self._send(outlet, batch)
        else:
            gate.held.append((gate.last, outlet, batch))

    def _pass(self, outbox: Outbox, gate: Gate) -> None:
        """Send what may leave by now. Where a journal has failed nothing does any more."""
        held = gate.held
        while held and _is_stored(held[0][0]):
            _, outlet, batch = held.popleft()
            self._send(outlet, batch)
        if not held and _is_stored(gate.last):
            self._gates.pop(outbox, None)

    def _send(self, outlet: DurableOutlet, batch: list[Message]) -> None:
        data = self._encode(batch)
        now = self._loop.time()
        quick = now - outlet.spoke < QUICK
        outlet.spoke = now
        if self._straight or self._closed:
            self._straight = max(self._straight - 1, 0)
        elif quick and outlet.live and len(batch) <= FEW and len(data) <= SMALL:
            self._say(outlet.live, data)
            self._hold(outlet.subject, batch, len(data))
            return
        self.flush()
        self._hand_over(outlet.subject, data)

    def _hold(self, subject: str, batch: list[Message], size: int) -> None:
        waiting = self._waiting.get(subject)
        if waiting is None:
            self._waiting[subject] = batch
        else:
            waiting += batch
        self._count += len(batch)
        self._bytes += size
        if self._count >= MANY or self._bytes >= self._much:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(HOLD, self.flush)

    async def settle(self) -> None:
        """Hand over all, as somebody waits until it is stored. Raises `JournalBroken`."""
        for gate in list(self._gates.values()):
            await asyncio.shield(gate.last)
        self._straight = SETTLED
        self.flush()

    def close(self) -> None:
        """Nothing is to wait any more, but for its journal."""
        self._closed = True
        self.flush()

    def flush(self) -> None:
        """Hand over what waits: a record for each lane, in the order in which they were begun."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        self._count = self._bytes = 0
        for subject, messages in waiting.items():
            self._hand_over(subject, self._encode(messages))


def _is_stored(word: asyncio.Future[None]) -> bool:
    return word.done() and not word.cancelled() and word.exception() is None
