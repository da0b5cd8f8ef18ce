"""Stand-ins: they play any role of any protocol without user code.

A stand-in sends sample payloads, takes branches as its random numbers fall, and after a
while takes those that lead to the end. The same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from ..language.errors import PavaneError
from ..language.table import State, Step, Table
from ..language.tree import Attribute, Expr, Literal_, Name
from .endpoint.endpoint import Endpoint
from .endpoint.guard import holds
from .endpoint.seat import Seat

PATIENCE = 12
"""Steps at which a choice is open that an instance takes at random; then it makes for the end."""

ATTEMPTS = 50
"""Random values tried for the names of a guard until it holds."""


class StandIn:
    """An implementation for `run`: one can play all roles. `delay` is in seconds, before each
    message sent, so that people can watch."""

    def __init__(self, seed: int = 0, *, delay: float = 0.0) -> None:
        self._seed = seed
        self._delay = delay
        self._distances: dict[Table, dict[int, int]] = {}

    async def __call__(self, me: Endpoint) -> None:
        rng = random.Random(f"{self._seed}/{me.name}")
        monitor = me.seat.monitor
        distances = self._distances_of(monitor.table)
        choices = 0
        while monitor.state.sends or monitor.state.receives:
            options = monitor.sends()
            if not options:
                before = monitor.state
                # Once it is told the branch, it may be its own turn.
                await me.finish()
                if monitor.state is before:
                    await me.offer()
                continue
            choices += len(options) > 1 or monitor.is_final
            hurried = choices > PATIENCE
            if monitor.is_final and (hurried or rng.random() < 0.5):
                return
            step = self._pick(me.seat, options, rng, distances if hurried else None)
            if not _in_time(me.seat, step):
                async with me.deadline():
                    await asyncio.Event().wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            await _take(me, step, rng)

    def _pick(
        self, seat: Seat, options: list[Step], rng: random.Random, distances: dict[int, int] | None
    ) -> Step:
        """One of `options`: the nearest to the end where `distances` are given, else any."""
        rng.shuffle(options)
        if distances is not None:
            far = len(distances) + 1
            options.sort(key=lambda step: distances.get(step.target.number, far))
        options.sort(key=lambda step: not _in_time(seat, step))
        for step in options:
            if _made_to_hold(seat, step, rng):
                return step
        return options[0]

    def _distances_of(self, table: Table) -> dict[int, int]:
        if table not in self._distances:
            self._distances[table] = _distances(table)
        return self._distances[table]


async def _take(me: Endpoint, step: Step, rng: random.Random) -> None:
    if step.selection:
        await me.choose(step.branches[-1])
        return
    seat = me.seat
    to = step.peer_role
    if not step.collective and seat.part.sizes.get(to) is not None:
        to = f"{to}[{step.partners(seat.role, seat.index)[0]}]"
    await me.send_raw(step.label, seat.part.moves[step.number].shape.sample(rng), to=to)


def _in_time(seat: Seat, step: Step) -> bool:
    """Whether no timeout keeps `step` from being taken now."""
    return seat.deadlines is None or seat.deadlines.is_open(step)


def _made_to_hold(seat: Seat, step: Step, rng: random.Random) -> bool:
    """Whether the guards of `step` hold, with random values for the names that have none."""
    guards = step.action.guards
    names = {name for guard in guards for name in _names(guard)} - seat.values.keys()
    for _ in range(ATTEMPTS if names else 1):
        drawn = {name: rng.randint(0, 100) for name in sorted(names)}
        try:
            if holds(step, {**seat.values, **drawn}):
                seat.values.update(drawn)
                return True
        except PavaneError:
            # A name that stands for a text or a list: no number will do.
            return False
    return False


def _names(expression: Expr) -> Iterable[str]:
    """The names in an expression; of `a.b` the first."""
    match expression:
        case Name(name=name):
            return [name]
        case Attribute(value=value):
            return _names(value)
        case Literal_():
            return []
        case _:
            return [name for operand in expression.operands for name in _names(operand)]


def _distances(table: Table) -> dict[int, int]:
    """How many steps each state is from a final one, where one can be reached."""
    before: dict[int, list[int]] = {}
    for state in table.states:
        for target in _targets(state):
            before.setdefault(target, []).append(state.number)
    found = {state.number: 0 for state in table.states if state.final}
    layer = list(found)
    while layer:
        following = [s for target in layer for s in before.get(target, ()) if s not in found]
        distance = found[layer[0]] + 1
        found.update((state, distance) for state in following)
        layer = list(dict.fromkeys(following))
    return found


def _targets(state: State) -> list[int]:
    if state.counter is not None:
        return [state.counter.body, state.counter.exit]
    return [step.target.number for step in state.steps()]
