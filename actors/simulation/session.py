"""One session of a simulated world, from its first process to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Protocol

import msgspec

from ...broker import subjects
from ...broker.contract import Level
from ...broker.sim.connection import SimBroker
from ...broker.sim.errors import Endless, Stuck
from ...broker.sim.faults import Fault
from ...broker.sim.link import Link
from ...broker.sim.loop import VirtualLoop
from ...broker.sim.network import Network
from ...effects.flow.budget import flow_counter
from ...effects.journal.places import JOURNAL
from ...language.errors import PavaneError
from ..choreography import Choreography
from ..durable.assignment import Assignment
from ..durable.handle import summed
from ..durable.start import prepare, start
from ..errors import SessionAborted
from ..events import Denied, Event, MessageReceived, MessageSent
from ..outcome import Outcome
from ..playing import Implementation
from .audit import audit, expected_facts
from .config import SimulationConfig
from .errors import PropertyBroken
from .kit import Kit
from .ledger import Broken, Ledger
from .permits import allowing
from .process import Player, Result, Task, grouped
from .state import SimulationState
from .verdict import judged

CLEANING = 1000
"""How many tenths of a simulated second killed processes get to clean up."""


ALONE = 15.0
"""Simulated seconds for those whom nobody hears, once all others have gone."""


class Place(Protocol):
    """What a session needs of its world."""

    @property
    def seed(self) -> int | str: ...
    @property
    def config(self) -> SimulationConfig: ...
    @property
    def kit(self) -> Kit: ...
    @property
    def loop(self) -> VirtualLoop: ...
    @property
    def network(self) -> Network: ...


class SimulatedSession:
    """Used once: `play`. What it offers beside that is for its judges."""

    def __init__(
        self,
        world: Place,
        choreography: Choreography,
        playing: Mapping[str, Implementation],
        bindings: Mapping[str, int],
        session: str,
        *,
        durable: bool,
        given: Any,
    ) -> None:
        self._world = world
        self._loop = world.loop
        self._network = world.network
        self._choreography = choreography
        self._playing = playing
        self._bindings = {**choreography.bindings, **bindings}
        self._durable = durable
        self._given = given
        self.name = subjects.token(session)
        projection = choreography.compiled.project(self._bindings)
        self.projection = projection
        facts = expected_facts(projection, world.config.registry)
        self.ledger = Ledger(projection, facts, recorded=durable)
        self.events: list[Event] = []
        self.results: dict[str, Result] = {}
        self.lives: dict[str, Player] = {}
        self.dead: list[Player] = []
        alone = given is not None and not durable
        self.groups = grouped(list(playing), world.config.processes, alone=alone)
        self.struck: list[Fault] = []
        self._over: asyncio.Future[None] | None = None
        self._to_come: list[asyncio.TimerHandle] = []
        self._returning = 0
        self.broken: PropertyBroken | None = None

    # --- running -------------------------------------------------------------------------

    def play(self, faults: Sequence[Fault]) -> Outcome:
        loop = self._loop
        self._over = loop.create_future()
        first = len(self._network.struck)
        loop.call_soon(self._schedule, faults)
        loop.call_soon(lambda: loop.create_task(self._begin()))
        horizon = loop.call_later(self._world.config.horizon, self._too_late)
        try:
            loop.run_until_complete(self._over)
        except (Stuck, Endless) as error:
            self._break("nobody is left waiting", f"{error.message}: {self.ledger.waiting()}")
        for timer in (horizon, *self._to_come):
            timer.cancel()
        self._clean_up()
        self.struck = self._network.struck[first:]
        if self.broken is None:
            self._look(is_over=True)
        if self.broken is None:
            self._judge()
        if self.broken is not None:
            raise self.broken
        return self._concluded()

    def _schedule(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            if not fault.after:
                strike = self._loop.call_later(fault.at, self._network.strike, fault)
                self._to_come.append(strike)

    async def _begin(self) -> None:
        try:
            units = await self._units() if self._durable else []
        except PavaneError as error:
            self.results["the runtime"] = Result(error=error)
            self._end()
            return
        for group in self.groups:
            self._start(group, [unit for unit in units if unit.role in group])

    def _start(self, group: tuple[str, ...], units: Sequence[Assignment]) -> None:
        name = "+".join(group)
        everything = len(self.groups) == 1 and not self._durable
        task = Task(
            self._choreography, self.name, self._bindings,
            {role: self._playing[role] for role in group}, units, everything, self._given,
        )  # fmt: skip
        allowed = allowing(self._choreography.compiled, group)
        player = Player(
            name,
            task,
            self._network,
            self._world.kit,
            allowed,
            observe=self._observe,
            restarted=self.ledger.restarted,
            ended=self._ended,
        )
        self.lives[name] = player
        player.begin()

    async def _units(self) -> list[Assignment]:
        """Start a durable session, as an operator does."""
        link = Link("operator", (), self._network.context, lambda subject: True)
        broker = SimBroker(self._network, link)
        runtime = self._world.kit.runtime(broker)
        try:
            cast = self._world.kit.cast(self._choreography, self._bindings)
            await prepare(broker, cast.namespace)
            _, units = await start(
                broker, cast, self.name, given=self._given, devices=self._choreography.devices
            )
        finally:
            await runtime.close()
        return units

    # --- what happens ----------------------------------------------------------------------

    def _observe(self, event: Event) -> None:
        """What a runtime says of this session; those that its roles hand work on to are not
        looked at."""
        is_over = self.broken is not None or self._over is None or self._over.done()
        if is_over or event.session != self.name:
            return
        try:
            if not self._is_new(event):
                return
        except Broken as broken:
            self.events.append(event)
            self._break(broken.rule, broken.details)
            return
        self.events.append(event)
        if isinstance(event, MessageSent | MessageReceived | Denied):
            self._look()

    def _is_new(self, event: Event) -> bool:
        """Enter an event; False for what a role repeats that is played again. Raises `Broken`."""
        match event:
            case MessageSent():
                return self.ledger.sent(event)
            case MessageReceived():
                self._network.note("came", event.sender, event.receiver, event.label)
                return self.ledger.received(event)
            case Denied():
                self._network.note("refused", event.sender, event.receiver, event.label)
            case _:
                pass
        return True

    def state(self, *, is_over: bool = False) -> SimulationState:
        results = self.results.items()
        return SimulationState(
            self.name,
            self._loop.elapsed,
            self.events,
            self._network.hub.levels,
            self._network.struck,
            {role: value for _, result in results for role, value in result.values()},
            {name: r.error for name, r in results if r.error is not None},
            is_over,
        )

    def _look(self, *, is_over: bool = False) -> None:
        for counter, level in self._network.hub.levels.items():
            if level.spent > level.limit:
                self._break("budgets are never overspent", _overspent(counter, level))
        if not self._world.config.checks:
            return
        state = self.state(is_over=is_over)
        for check in self._world.config.checks:
            name = getattr(check, "__name__", "check")
            name = "a check" if name == "<lambda>" else name
            try:
                holds = check(state) is not False
            except Exception as error:  # noqa: BLE001  # whatever the user's code raises
                self._break(name, f"it raised {type(error).__name__}: {error}")
            else:
                if not holds:
                    self._break(name, "it does not hold")

    def _break(self, rule: str, details: str) -> None:
        if self.broken is None:
            seconds = self._loop.elapsed
            self.broken = PropertyBroken(rule, details, seed=self._world.seed, seconds=seconds)
            self._network.note("note", rule, "", details)
        self._end()

    def _too_late(self) -> None:
        """Whoever keeps all to itself for ever may wait for ever, and for itself alone."""
        if self._is_everybody_silent():
            self._end()
        else:
            self._break("nobody is left waiting", self.ledger.waiting())

    # --- processes -------------------------------------------------------------------------

    def _ended(self, player: Player, result: Result) -> None:
        self.results[player.name] = result
        self.lives.pop(player.name, None)
        said = result.error.code if result.error is not None else "done"
        self._network.note("ended", player.name, "", said)
        if result.bug is not None:
            self._break("only typed errors", f"{player.name}: {result.bug!r}")
        if not self.lives and not self._returning:
            self._end()
        elif self._is_everybody_silent():
            self._loop.call_later(ALONE, self._alone)

    def _is_everybody_silent(self) -> bool:
        """Whether those who are left keep all to themselves, for ever."""
        silent = all(player.link.silent_until == inf for player in self.lives.values())
        return silent and bool(self.lives) and not self._returning

    def _alone(self) -> None:
        if self._is_everybody_silent():
            self._end()

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def strike(self, fault: Fault) -> None:
        """The faults that are no matter of the network."""
        links = self._network.links.values()
        for link in [link for link in links if fault.role in link.roles]:
            player = self.lives.get(link.name)
            if fault.kind == "crash" and player is not None:
                self._crash(player, fault.seconds)
            elif fault.kind == "skew" and player is not None:
                player.process.skew_ns += int(fault.seconds * 1e9)
            elif fault.kind == "journal":
                until = self._loop.time() + fault.seconds
                link.failing[JOURNAL] = until
        if fault.kind == "budget":
            self._spend_all(fault.role)

    def _crash(self, player: Player, seconds: float) -> None:
        del self.lives[player.name]
        self.dead.append(player)
        player.kill()
        if seconds:
            self._returning += 1
            self._loop.call_later(seconds, self._return, player, context=self._network.context)
        elif not self.lives and not self._returning:
            self._end()

    def _return(self, player: Player) -> None:
        self._returning -= 1
        if self._over is not None and not self._over.done():
            for role in player.task.playing:
                self.ledger.restarted(role)
            self._network.note("note", player.name, "", "is started again")
            self._start(tuple(player.task.playing), player.task.units)

    def _spend_all(self, role: str) -> None:
        space = subjects.namespace_token(self._choreography.namespace)
        counter = flow_counter(f"{space}.{self._choreography.name}", role)
        level = self._network.hub.levels.get(counter)
        if level is not None:
            used_up = msgspec.structs.replace(level, spent=level.limit)
            self._network.hub.write(counter, used_up)

    def _clean_up(self) -> None:
        """End what is left of the session's processes."""
        for player in self.lives.values():
            player.kill()
            self.dead.append(player)
        self.lives.clear()
        with suppress(Endless, Stuck):
            self._loop.run_until_complete(self._loop.create_task(self._all_dead()))

    async def _all_dead(self) -> None:
        for _ in range(CLEANING):
            if not any(player.process.tasks for player in self.dead):
                return
            await asyncio.sleep(0.1)

    # --- the end ---------------------------------------------------------------------------

    def _judge(self) -> None:
        """Hold the end against what has struck, and look at all that is left behind."""
        errors = {name: r.error for name, r in self.results.items() if r.error is not None}
        try:
            judged(self, errors)
            self._loop.run_until_complete(self._loop.create_task(self._audit(bool(errors))))
        except Broken as broken:
            self._break(broken.rule, broken.details)
        for mishap in self._loop.mishaps:
            self._break(
                "only typed errors", f"{mishap.get('message')}: {mishap.get('exception')!r}"
            )

    async def _audit(self, failed: bool) -> None:
        link = Link("auditor", (), self._network.context, lambda subject: True)
        broker = SimBroker(self._network, link)
        try:
            await audit(self, broker, failed=failed)
        finally:
            await broker.close()

    @property
    def network(self) -> Network:
        return self._network

    @property
    def is_durable(self) -> bool:
        return self._durable

    @property
    def kit(self) -> Kit:
        return self._world.kit

    @property
    def choreography(self) -> Choreography:
        return self._choreography

    def _concluded(self) -> Outcome:
        errors = [r.error for r in self.results.values() if r.error is not None]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, SessionAborted))
        if self._durable:
            ended = {k: t for r in self.results.values() for k, t in r.tallied.items()}
            families = {r for r, size in self.projection.sizes.items() if size is not None}
            return summed(self.name, ended, families)
        outcomes = [r.outcome for r in self.results.values() if r.outcome is not None]
        values = {role: v for o in outcomes for role, v in o.values.items()}
        tallies = {name: t for o in outcomes for name, t in o.tallies.items()}
        ordered = {role: values[role] for role in self._choreography.roles if role in values}
        return Outcome(self.name, ordered, tallies)


def _overspent(counter: str, level: Level) -> str:
    return f"{counter} has spent {level.spent} of {level.limit}"
