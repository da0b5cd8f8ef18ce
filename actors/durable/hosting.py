"""What a runtime does with durable sessions: starts them, and plays their units."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from typing import Any

from ...broker import subjects
from ...broker.errors import BrokerError, Fenced, HoldTaken
from ...broker.surroundings import unique
from ...effects.errors import JournalBroken
from ...effects.identity import Identity
from ...effects.journal.history.reading import History as Journals
from ...effects.pipeline.pipeline import Pipeline
from ...language.errors import PavaneError
from ..around import Around
from ..cast import Cast
from ..errors import SessionAborted, StepTimedOut, interrupted
from ..events import Event
from ..mailbox.switchboard import Switchboard
from ..outcome import Outcome
from ..playing import Implementation
from ..wallet import Held
from . import names
from .assignment import Assignment
from .fencing import Taker
from .fullness import Fullness
from .handle import SessionHandle, is_over, outcome, summed
from .history import History, read
from .names import Place
from .records import Started
from .replay import Replayed, replay
from .sealing import Sealing
from .start import Block, prepare, start, started
from .unit import Unit


class Hosting:
    """Owned by a runtime."""

    def __init__(
        self,
        switchboard: Switchboard,
        pipeline: Pipeline,
        around: Around,
        observe: Callable[[Event], None],
    ) -> None:
        self._switchboard = switchboard
        self._pipeline = pipeline
        self._around = around
        self._prepared: set[str] = set()
        self._taker = Taker(unique(4))
        self.fullness = Fullness(switchboard.broker)
        self.fullness.observe = observe

    async def start(
        self,
        cast: Cast,
        session: str | None,
        *,
        given: Any,
        devices: Mapping[str, tuple[str, ...]],
        blocks: Iterable[Block] | None = None,
    ) -> tuple[bool, list[Assignment]]:
        """As `durable.start.start`, with the stream made where it is not there yet."""
        if cast.namespace not in self._prepared:
            await prepare(self._switchboard.broker, cast.namespace)
            self._prepared.add(cast.namespace)
        name = subjects.token(unique(6) if session is None else session)
        await self.fullness.look(names.stream(cast.namespace), name)
        tracer = self._around.tracer
        about = (name, cast.namespace, cast.name)
        with nullcontext("") if tracer is None else tracer.starting(*about) as trace:
            return await start(
                self._switchboard.broker, cast, name, given=given, devices=devices, blocks=blocks,
                codec=self._around.codec, trace=trace,
            )  # fmt: skip

    def unit(
        self,
        cast: Cast,
        assignment: Assignment,
        implementation: Implementation,
        *,
        tokens: Callable[[Identity], Held],
        observe: Callable[[Event], None] | None,
        taker: Taker | None = None,
    ) -> Unit:
        return Unit(
            cast, assignment, implementation, self._switchboard, self._pipeline,
            tokens=tokens, observe=observe, around=self._around, taker=taker or self._taker,
        )  # fmt: skip

    async def run(
        self,
        cast: Cast,
        units: list[Unit],
        *,
        new: bool,
    ) -> Outcome:
        """Play all units of a session, as far as they are not done, to its end."""
        place = units[0].place
        if not new:
            history = await read(self._switchboard.broker, place, place.words)
            if is_over(history):
                return outcome(history, Sealing(self._around.codec, place))
        history = await self._taken(place, units, new=new)
        results = await asyncio.gather(*(_played(unit, history, units) for unit in units))
        await self._dismiss(place, units)
        errors = [error for error in results if error is not None]
        if errors:
            raise interrupted(min(errors, key=lambda error: isinstance(error, SessionAborted)))
        ended = {
            (unit.assignment.role, index): tallied
            for unit in units
            for index, tallied in unit.tallies.items()
        }
        families = {role for role, size in cast.sizes.items() if size is not None}
        return summed(place.session, ended, families)

    async def _dismiss(self, place: Place, units: list[Unit]) -> None:
        """End what was begun for the session, where it is over: it may also just go on elsewhere."""
        parents = [unit for unit in units if unit.has_children]
        with suppress(BrokerError):
            if parents and is_over(await read(self._switchboard.broker, place, place.words)):
                for unit in parents:
                    await unit.dismiss()

    def handle(self, place: Place) -> SessionHandle:
        return SessionHandle(self._switchboard.broker, place, self._around.codec)

    async def started(self, namespace: str, protocol: str, session: str) -> Started:
        """How a session was started. Raises `NoSuchSession`."""
        return await started(self._switchboard.broker, Place(namespace, protocol, session))

    def replay(
        self, cast: Cast, session: str, role: str, by: Implementation, journals: Journals
    ) -> AsyncIterator[Replayed]:
        """As `durable.replay.replay`."""
        return replay(
            self._switchboard.broker, cast, session, role, by, self._pipeline, journals,
            self._around,
        )  # fmt: skip

    async def _taken(self, place: Place, units: list[Unit], *, new: bool) -> History:
        """Have every unit listen and be ours before any of them speaks; then read what was."""
        await asyncio.gather(*(unit.take() for unit in units))
        if new and all(unit.incarnation == 1 for unit in units):
            return History(place)
        return await read(self._switchboard.broker, place)


async def _played(unit: Unit, history: History, units: list[Unit]) -> PavaneError | None:
    """What ended the unit early; the others, and whoever else listens, are told."""
    try:
        await unit.play(history)
    except SessionAborted as error:
        return error
    except PavaneError as error:
        passes = error.retryable and not isinstance(error, StepTimedOut)
        if passes or isinstance(error, Fenced | JournalBroken | HoldTaken):
            # The session is not over: it only does not go on here.
            for other in units:
                other.fail(error, unit.assignment.name)
        else:
            await unit.give_up(error)
        return error
    return None
