"""What all kinds of resilience have in common: they run an operation, or refuse to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio

from ...language.errors import PavaneError
from .errors import TimedOut

T = TypeVar("T")

Operation = Callable[[], Awaitable[T]]
"""Something that can be begun, any number of times; each call is one attempt."""

Clock = Callable[[], float]
"""Seconds from any beginning, never going back. The default is the event loop's own time, so a
loop with virtual time needs nothing else."""

Sleep = Callable[[float], Awaitable[None]]


class Policy(Protocol):
    """A `Retry`, a `Breaker`, a `Bulkhead`, or several of them in a `Resilience`."""

    async def call(self, operation: Operation[T], *, name: str = "") -> T:
        """Run `operation`; `name` is what errors call it."""
        ...


def retryable(error: BaseException) -> bool:
    """Whether trying again may end otherwise.

    An error that has an attribute `retryable` decides for itself, as every `PavaneError` does;
    of all others it may be a lost connection or a timeout. A cancellation is none of these.
    """
    if not isinstance(error, Exception):
        return False
    own: object = getattr(error, "retryable", None)
    return own if isinstance(own, bool) else isinstance(error, (ConnectionError, TimeoutError))


def failing(error: BaseException) -> bool:
    """Whether an error tells against the service that was called: every exception does, but for
    ours that are not retryable. A denial or a payload that does not fit says nothing about it."""
    if isinstance(error, PavaneError):
        return retryable(error)
    return isinstance(error, Exception)


async def timed(operation: Operation[T], seconds: float | None, name: str = "") -> T:
    """`operation`, cancelled after `seconds`, which raises `TimedOut`; None is without end."""
    if seconds is None:
        return await operation()
    with anyio.move_on_after(seconds) as scope:
        return await operation()
    # A cancellation from outside went on its way above; only our own one is caught.
    assert scope.cancelled_caught
    raise TimedOut(name or named(operation), seconds)


def named(operation: Callable[..., object]) -> str:
    """What an operation is called where nobody has given it a name."""
    name: str = getattr(operation, "__qualname__", "") or type(operation).__name__
    return name.rpartition("<locals>.")[2].replace("<lambda>", "the operation")
