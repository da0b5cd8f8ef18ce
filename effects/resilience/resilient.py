"""`@resilient`: a retry, a bulkhead, a breaker and a timeout around one async function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from .bounds import require_timeout
from .policy import Operation, Policy, T, named, timed
from .retry import Retry

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Resilience:
    """From the outside in: retry, bulkhead, breaker, timeout.

    So an attempt waits for its place in the bulkhead without its time running, and the breaker
    counts every attempt, with those that took too long. `timeout` is the seconds of one
    attempt, the retry's own if it is None. Raises `InvalidEffect`.
    """

    retry: Retry | None = None
    bulkhead: Policy | None = None
    breaker: Policy | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        require_timeout(self.timeout)

    async def call(self, operation: Operation[T], *, name: str = "") -> T:
        """Run `operation` inside all of them; raises what the last attempt raised."""
        name = name or named(operation)

        async def attempt() -> T:
            return await self._attempt(operation, name)

        if self.retry is None:
            return await attempt()
        return await self.retry.drive(attempt, name)

    async def _attempt(self, operation: Operation[T], name: str) -> T:
        seconds = self.timeout
        if seconds is None and self.retry is not None:
            seconds = self.retry.timeout

        async def inmost() -> T:
            return await timed(operation, seconds, name)

        run: Operation[T] = inmost
        for policy in (self.breaker, self.bulkhead):
            if policy is not None:
                run = _inside(policy, run, name)
        return await run()


def _inside(policy: Policy, operation: Operation[T], name: str) -> Operation[T]:
    return lambda: policy.call(operation, name=name)


def resilient(
    *,
    retry: Retry | None = None,
    bulkhead: Policy | None = None,
    breaker: Policy | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Let an async function, such as a call that a role makes to a service, be run as by
    `Resilience`:

        @resilient(retry=Retry(attempts=5), breaker=breakers["bank"], timeout=2.0)
        async def pay(account: str, cents: int) -> str: ...

    It is called again with the same arguments, so it must bear to be run more than once.
    """
    around = Resilience(retry, bulkhead, breaker, timeout)

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        name = named(function)

        @wraps(function)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return await around.call(lambda: function(*args, **kwargs), name=name)

        return wrapper

    return decorate
