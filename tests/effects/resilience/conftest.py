"""A loop whose time jumps to the next timer, so that hours take no time; and sagas to watch."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from pavane.broker.contract import Broker
from pavane.broker.payload import unpack
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.saga import Saga, Visit
from pavane.effects.resilience.saga_log import STREAM, subject_of

T = TypeVar("T")
Virtual = Callable[[Coroutine[Any, Any, T]], T]


class Jumping(selectors.SelectSelector):
    """Where it would wait, it sets the clock on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and for nothing"
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def _virtual(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


@pytest.fixture(scope="session")
def virtual() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """`virtual(main())` runs a coroutine in a loop of its own, from time 0 on."""
    return _virtual


class Dead(BaseException):
    """Nothing that a program would handle."""


class Diary:
    """A saga of named steps that writes down what it does, and fails where it is told to."""

    Dead = Dead

    def __init__(self, *names: str, kept: tuple[str, ...] = ()) -> None:
        self.did: list[str] = []
        self.visits: dict[str, Visit] = {}
        self.failing: dict[str, BaseException] = {}
        self.saga = Saga("trip")
        for name in names:
            self._add(name, name in kept)

    def _add(self, name: str, kept: bool) -> None:
        async def forward(visit: Visit) -> str:
            return self._do(f"+{name}", visit)

        async def undo(visit: Visit) -> None:
            self._do(f"-{name}", visit)

        self.saga.add(name, forward, None if kept else undo)

    def _do(self, what: str, visit: Visit) -> str:
        self.visits[what] = visit
        self.did.append(what)
        if what in self.failing:
            raise self.failing[what]
        return f"{what}!"


@pytest.fixture(scope="session")
def new_diary() -> type[Diary]:
    return Diary


@pytest.fixture
def sagas(broker: Broker, unique: str) -> Compensations:
    return Compensations(broker, unique)


@pytest.fixture
def log_of(broker: Broker, unique: str) -> Callable[[str], Awaitable[list[str]]]:
    """The log of a trip as a reader sees it: what was recorded, and of which step."""

    async def kinds(id: str) -> list[str]:
        read = broker.read(STREAM, subject_of(unique, "trip", id))
        entries = [unpack(record.payload) async for record in read]
        return [f"{entry[1]} {entry[3]}".strip() for entry in entries]

    return kinds
