"""A process of a simulation: a runtime of its own that plays some roles, and can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from ...broker.errors import BrokerError, Fenced, HoldTaken
from ...broker.payload import unpack
from ...broker.sim.connection import SimBroker
from ...broker.sim.link import Link
from ...broker.sim.loop import PROCESS, Process
from ...broker.sim.network import Network
from ...effects.errors import JournalBroken
from ...language.errors import PavaneError
from ..choreography import Choreography
from ..durable.assignment import Assignment
from ..durable.records import Tallied
from ..durable.unit import Unit
from ..errors import PeerFailed, SessionAborted
from ..events import Event
from ..outcome import Outcome
from ..playing import Implementation
from ..runtime import Runtime
from ..workers.job import DISPUTES
from ..workers.restart import Restart, Supervisor
from .kit import Kit

PATIENCE = 6.0
"""Simulated seconds that a process of a live session waits for the others to come."""

PAUSE = 1.0
"""Seconds until a unit is played again whose broker was not there."""


@dataclass
class Task:
    """What a process is to play: its roles of one session. `units` are those of a durable one."""

    choreography: Choreography
    session: str
    bindings: Mapping[str, int]
    playing: Mapping[str, Implementation]
    units: Sequence[Assignment] = ()
    everything: bool = False
    input: Any = None
    fingerprint: bytes = b""


@dataclass
class Result:
    """What a process came to: an outcome, or an error; nothing if it was killed."""

    outcome: Outcome | None = None
    error: PavaneError | None = None
    tallied: dict[tuple[str, int], Tallied] = field(default_factory=dict[tuple[str, int], Tallied])
    bug: BaseException | None = None

    def values(self) -> Iterable[tuple[str, Any]]:
        """What the roles have returned; of a family, by instance name."""
        if self.outcome is not None:
            yield from self.outcome.values.items()
        for (role, index), tallied in self.tallied.items():
            yield (f"{role}[{index}]" if index else role), unpack(tallied.value)


class Player:
    """One life of a process. `restarted` is called when it plays a role again from its beginning,
    `ended` once with what it came to; neither after `kill`."""

    def __init__(
        self,
        name: str,
        task: Task,
        network: Network,
        kit: Kit,
        allowed: Callable[[str], bool],
        *,
        observe: Callable[[Event], None],
        restarted: Callable[[str], None],
        ended: Callable[[Player, Result], None],
    ) -> None:
        self.name = name
        self.task = task
        self.process = Process(name)
        context = copy_context()
        context.run(PROCESS.set, self.process)
        self.link = Link(name, task.playing, context, allowed)
        self._network = network
        self._kit = kit
        self._observe = observe
        self._restarted = restarted
        self._ended = ended
        self._killed = False

    def begin(self) -> None:
        """Start; must be called on the loop."""
        loop = self._network.loop
        loop.call_soon(lambda: loop.create_task(self._live()), context=self.link.context)

    def kill(self) -> None:
        """As the kernel does it: nothing that it still wanted to say or store is heard of."""
        self._killed = True
        self._network.bury(self.link)
        self.cancel()

    def cancel(self) -> None:
        """End what still runs, however long its cleaning up takes."""
        for task in list(self.process.tasks):
            task.cancel()
        if self.process.tasks:
            self._network.loop.call_later(0.1, self.cancel, context=self._network.context)

    async def _live(self) -> None:
        result = Result()
        try:
            await self._play(result)
        except PavaneError as error:
            result.error = error
        except asyncio.CancelledError:
            return
        except BaseException as error:  # noqa: BLE001
            result.bug = error
        if not self._killed:
            self._ended(self, result)

    async def _play(self, result: Result) -> None:
        runtime = self._kit.runtime(SimBroker(self._network, self.link))
        runtime.observe(self._tell)
        try:
            if self.task.units:
                await self._play_units(runtime, result)
            else:
                result.outcome = await self._play_live(runtime)
        finally:
            try:
                await runtime.close()
            except PavaneError as error:
                if result.error is None and result.outcome is None:
                    raise
                result.error = result.error or error

    def _tell(self, event: Event) -> None:
        if not self._killed:
            self._observe(event)

    async def _play_live(self, runtime: Runtime) -> Outcome:
        task = self.task
        if task.everything:
            return await runtime.run(
                task.choreography, task.playing, bindings=task.bindings, session=task.session,
                input=task.input,
            )  # fmt: skip
        return await runtime.join(
            task.choreography, task.playing, bindings=task.bindings, session=task.session,
            patience=PATIENCE,
        )  # fmt: skip

    # --- durable sessions ------------------------------------------------------------------

    async def _play_units(self, runtime: Runtime, result: Result) -> None:
        """All units at once, each as a worker plays it."""
        playing = (self._play_unit(runtime, unit) for unit in self.task.units)
        for played in await asyncio.gather(*playing, return_exceptions=True):
            if isinstance(played, PavaneError):
                if result.error is None or isinstance(result.error, SessionAborted):
                    result.error = played
            elif isinstance(played, BaseException):
                raise played
            else:
                role, tallies = played
                result.tallied.update({(role, index): t for index, t in tallies.items()})

    async def _play_unit(
        self, runtime: Runtime, given: Assignment
    ) -> tuple[str, dict[int, Tallied]]:
        task = self.task
        policy = task.choreography.restarts.get(given.role) or Restart()
        supervisor = Supervisor(policy, self._network.loop.time)
        delay: float | None
        disputes = DISPUTES
        while True:
            unit: Unit | None = None
            try:
                unit = await runtime.unit(task.choreography, given, task.playing[given.role])
                await unit.play()
                return given.role, unit.tallies
            except (SessionAborted, PeerFailed, Fenced):
                raise
            except PavaneError as error:
                delay = PAUSE
                if isinstance(error, JournalBroken | HoldTaken) and disputes:
                    # As a worker that has the unit still: what another had of it, it takes again.
                    disputes -= 1
                elif not (isinstance(error, BrokerError) and error.retryable):
                    delay = supervisor.after(error)
                if delay is None:
                    if unit is not None:
                        await self._give_up(unit, error)
                    raise
            if not self._killed:
                self._restarted(given.role)
            await asyncio.sleep(delay)

    async def _give_up(self, unit: Unit, error: PavaneError) -> None:
        """The session's last word has to be stored, however long the broker is away."""
        while True:
            with suppress(BrokerError):
                await unit.give_up(error)
                return
            await asyncio.sleep(PAUSE)


def grouped(
    roles: Sequence[str], processes: Sequence[Sequence[str]], *, alone: bool
) -> list[tuple[str, ...]]:
    """Which roles are played by one process: each by its own where nothing is said, all by one
    that is `alone`."""
    if alone:
        return [tuple(roles)]
    placed = {role for group in processes for role in group}
    kept = [tuple(role for role in group if role in roles) for group in processes]
    return [group for group in kept if group] + [(r,) for r in roles if r not in placed]
