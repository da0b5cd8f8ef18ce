"""A role played again from the log of a session, away from it: nothing is sent, charged or called.

So a new version of a role can be tried on the sessions that are running, before it is deployed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from ...broker.contract import Broker
from ...effects.identity import Identity, SendContext
from ...effects.journal.entry import Entry
from ...effects.journal.history.reading import History as Journals
from ...effects.pipeline.passed import Passed
from ...effects.pipeline.pipeline import LOOKED_AT, Heard, Pipeline
from ...language.errors import PavaneError
from ...language.machine import Action
from ..around import NOTHING, Around
from ..cast import Cast
from ..endpoint.calls import packed
from ..endpoint.clock import LoopClock, Timer
from ..endpoint.seat import Seat
from ..mailbox.switchboard import Switchboard
from ..playing import Implementation, failure_of, play
from ..wallet import NOTHING_HELD
from .assignment import Assignment
from .errors import BeyondLog, Departure
from .history import Channel, History, read
from .log import ClosedLog
from .names import Place
from .stage import Stage
from .start import started, units

PATIENCE = 0.25
"""Seconds without a step after which a role counts as waiting for what is not in the log."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one instance. `steps` are the messages it sent and heard; `end` says how far
    it came: `done`, `waits`, or what it would do next. `hash` stands for where it then is and all
    that led there: the same log and the same code give the same."""

    instance: str
    steps: int
    end: str
    hash: str
    departure: Departure | None = None
    error: PavaneError | None = None

    @property
    def is_faithful(self) -> bool:
        """Whether it did what the log says, as far as that goes."""
        return self.departure is None and self.error is None


class _Offline(Pipeline):
    """Effects that have been; there are no others."""

    async def before_send(
        self, context: SendContext, action: Action, copies: int = 1, payload: Any = None
    ) -> Passed:
        raise BeyondLog(context.identity.instance, f"the charge for {action.label}")

    def check_arrival(
        self, action: Action, token: bytes, sender: Identity, heard: Heard = LOOKED_AT
    ) -> None:
        """It was checked when it arrived."""

    async def after_arrival(self, context: SendContext, action: Action, sender: Identity) -> None:
        raise BeyondLog(context.identity.instance, f"the journal of {sender.instance} joined")


class _Late(LoopClock):
    """All sleeps are over; what was not in time is in the log."""

    def now(self) -> float:
        return float("inf")

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return _Never()


class _Never:
    """A call that does not come."""

    def cancel(self) -> None:
        """There is nothing to call off."""


class Replay:
    """Plays one unit; the `Player` and the sink of its stage."""

    def __init__(
        self,
        cast: Cast,
        assignment: Assignment,
        implementation: Implementation,
        switchboard: Switchboard,
        pipeline: Pipeline,
        history: History,
        journal: Iterable[Entry],
        around: Around = NOTHING,
    ) -> None:
        self.assignment = assignment
        self.incarnation = 0
        self.failure: PavaneError | None = None
        self._implementation = implementation
        self._history = history
        name = assignment.role
        self._stage = Stage(
            self, cast, switchboard, pipeline, self, ClosedLog(name), history,
            tokens=lambda _: NOTHING_HELD, observe=None, around=around, clock=_Late(),
        )  # fmt: skip
        for seat in self._stage.seats.values():
            mine = [e for e in journal if (e.role, e.index) == (seat.role, seat.index)]
            self._stage.pipeline.remember(seat.index, mine)
        self._stage.feed(history)

    def hand_over(self, subject: str, data: bytes) -> asyncio.Future[int] | None:
        raise BeyondLog(self.assignment.role, "another message")

    def say(self, subject: str, data: bytes) -> None:
        """Nobody is there to hear it."""

    def fail(self, error: PavaneError, culprit: str) -> None:
        if self.failure is None:
            self.failure = error
            self._stage.stop(error, culprit, error)

    async def run(self) -> list[Replayed]:
        return [await self._play(seat) for seat in self._stage.seats.values()]

    async def _play(self, seat: Seat) -> Replayed:
        playing = asyncio.create_task(self._until_end(seat))
        end = ""
        while not playing.done():
            before = (_messages(seat), self._stage.number_of(seat.index))
            await asyncio.wait([playing], timeout=PATIENCE)
            after = (_messages(seat), self._stage.number_of(seat.index))
            if not playing.done() and before == after and self._stage.waits(seat):
                end = "waits"
                playing.cancel()
                await asyncio.wait([playing])
        if end:
            return self._replayed(seat, end)
        value, error = playing.result()
        if isinstance(error, BeyondLog):
            return self._replayed(seat, error.step)
        return self._replayed(seat, "done" if error is None else "failed", value, error)

    async def _until_end(self, seat: Seat) -> tuple[bytes, PavaneError | None]:
        try:
            value = await play(seat, self._implementation)
            seat.outbox.flush()
            if self.failure is not None:
                return b"", self.failure
            self._stage.finish(seat)
            return packed(value, seat.name), None
        except PavaneError as error:
            return b"", self.failure if isinstance(self.failure, BeyondLog) else error
        except BaseException as error:  # noqa: BLE001
            return b"", failure_of(error, self.assignment.session, seat.name)

    def _replayed(
        self, seat: Seat, end: str, value: bytes = b"", error: PavaneError | None = None
    ) -> Replayed:
        lanes = self._stage.state_of(seat)
        told = blake2b(seat.name.encode(), digest_size=16)
        told.update(_encoder.encode((end, seat.monitor.state.number, value, lanes)))
        told.update(self._content(seat))
        departure = error if isinstance(error, Departure) else None
        other = error if departure is None else None
        return Replayed(seat.name, _messages(seat), end, told.hexdigest(), departure, other)

    def _content(self, seat: Seat) -> bytes:
        """A digest of all that the instance has said and heard in the log, lane by lane."""
        lanes: dict[Channel, Any] = {}
        for channel, _, data in self._history.frames:
            to, index, sender, number = channel
            heard = to == seat.role and index in (None, seat.index)
            if heard or (sender, number) == (seat.role, seat.index):
                lanes.setdefault(channel, blake2b(digest_size=16)).update(data)
        return _encoder.encode(sorted((repr(name), lane.digest()) for name, lane in lanes.items()))


def _messages(seat: Seat) -> int:
    """How many messages the instance has sent and heard."""
    return seat.tally.sent + seat.tally.received


async def replay(
    broker: Broker,
    cast: Cast,
    session: str,
    role: str,
    implementation: Implementation,
    base: Pipeline,
    journals: Journals,
    around: Around = NOTHING,
) -> AsyncIterator[Replayed]:
    """Play all instances of `role` again, each from the beginning.

    Raises `NoSuchSession`, and `LogDamaged` for a log that cannot be read.
    """
    place = Place(cast.namespace, cast.name, session)
    begun = await started(broker, place)
    history = await read(broker, place)
    found = journals.entries(
        namespace=place.namespace, protocol=place.protocol, session=session, role=role
    )
    journal = [entry async for entry in found]
    offline = _Offline(base.registry, base.driver)
    for unit in units(place, begun):
        if unit.role == role:
            replaying = Replay(
                cast, unit, implementation, Switchboard(broker), offline, history, journal, around
            )
            for replayed in await replaying.run():
                yield replayed


_encoder = msgspec.msgpack.Encoder()
