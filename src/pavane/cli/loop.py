"""The event loop of a verb: uvloop where it is installed, and signals that end it properly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from .departure import DEPARTURE
from .signals import until_ended

T = TypeVar("T")


def play(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end and return what it returns; see `signals.until_ended`."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(until_ended(main))


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As `play`, for a `main` that attends to signals itself."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def perform(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As `run`, for a `main` that plays the code of others: what of it goes on when `main` is over
    is ended with the process, by a verb that is `departing`."""
    runner = asyncio.Runner(loop_factory=_loop_factory())
    DEPARTURE.watch()
    DEPARTURE.close = runner.close
    return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if there is one: it is an extra of the package, not a requirement."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory
