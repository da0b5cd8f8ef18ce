"""`Saga`: steps that are done in order, and what undoes each (Garcia-Molina and Salem, Sagas,
SIGMOD 1987)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...broker import subjects
from ..errors import DuplicateEffect


@dataclass(frozen=True, slots=True)
class Visit:
    """What a step, or its compensation, is called with.

    `given` is what the saga was started with, `results` what earlier steps have returned (for a
    compensation its own step's too), both as they stand in the log: plain values. `key` is
    the same every time this step of this saga is tried, also after a crash: pass it on as
    the idempotency key or message id of whatever the step does outside. A compensation has a key
    of its own and, in `undoes`, the one its step was done under. `done` is False for the
    compensation of a step that may have happened or not; it must bear both.
    """

    saga: str
    id: str
    step: str
    key: str
    given: Mapping[str, Any]
    results: Mapping[str, Any]
    undoes: str = ""
    done: bool = False


Action = Callable[[Visit], Awaitable[Any]]


class Step:
    """One step; `saga.step` makes it of an async function, whose name it has."""

    def __init__(self, name: str, forward: Action, undo: Action | None = None) -> None:
        self.name = name
        self.forward = forward
        self.undo = undo

    def compensation(self, undo: Action) -> Action:
        """Register the function that undoes this step."""
        if self.undo is not None:
            raise DuplicateEffect(f"the compensation of {self.name}")
        self.undo = undo
        return undo


class Saga:
    """A definition; it holds no state of a run, and is usually made once for a module.

        trip = Saga("trip")

        @trip.step
        async def flight(visit: Visit) -> str:
            return await airline.book(visit.given["who"], key=visit.key)

        @flight.compensation
        async def cancel_flight(visit: Visit) -> None:
            await airline.cancel(booking=visit.undoes, key=visit.key)

    A step without a compensation is kept when a later one fails; the outcome says so.
    """

    def __init__(self, name: str) -> None:
        self.name = subjects.token(name)
        self._steps: dict[str, Step] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    def step(self, forward: Action) -> Step:
        """Add a step to the end. Raises `DuplicateEffect` for a second one of that name."""
        return self.add(getattr(forward, "__name__", type(forward).__name__), forward)

    def add(self, name: str, forward: Action, undo: Action | None = None) -> Step:
        """As `step`, by name: for steps that are made by a program."""
        if name in self._steps:
            raise DuplicateEffect(f"step {name} of saga {self.name}")
        step = self._steps[subjects.token(name)] = Step(name, forward, undo)
        return step

    def __getitem__(self, name: str) -> Step:
        return self._steps[name]

    @property
    def shape(self) -> tuple[tuple[str, bool], ...]:
        """The names of the steps and whether they can be undone: what a log is checked against
        before it is recovered."""
        return tuple((step.name, step.undo is not None) for step in self.steps)
