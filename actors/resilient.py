"""Resilience around what actors do: a whole protocol, or one role until its first step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from ..effects.resilience.bounds import require_timeout
from ..effects.resilience.policy import Policy
from ..effects.resilience.resilient import Resilience
from ..effects.resilience.retry import Retry
from .choreography import Choreography
from .endpoint.endpoint import Endpoint
from .outcome import Outcome
from .players import Playing
from .runtime import Runtime

T = TypeVar("T")


class ResilientRuntime:
    """Runs protocols on `runtime` as `Resilience` runs an operation.

    `breakers` and `bulkheads` (`Breakers`, `Bulkheads`) are asked by the protocol's full name: each
    protocol has its own. `timeout` is the seconds of one session, which is cancelled then.

        steady = ResilientRuntime(runtime, retry=Retry(attempts=5), breakers=Breakers())
        outcome = await steady.run(shop, Buyer=buyer)
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        retry: Retry | None = None,
        breakers: Mapping[str, Policy] | None = None,
        bulkheads: Mapping[str, Policy] | None = None,
        timeout: float | None = None,
    ) -> None:
        self.runtime = runtime
        require_timeout(timeout)
        self._retry = retry
        self._breakers = breakers
        self._bulkheads = bulkheads
        self._timeout = timeout

    async def run(
        self,
        choreography: Choreography,
        implementations: Mapping[str, Playing] | None = None,
        /,
        *,
        bindings: Mapping[str, int] | None = None,
        session: str | None = None,
        durable: bool = False,
        input: Any = None,
        **roles: Playing,
    ) -> Outcome:
        """As `Runtime.run`; what fails for a reason that may pass is played again.

        A session cannot go on where it failed: another attempt is a new session, from the
        first message, with a new id (`session`, then `session-2`, `session-3`). What the failed
        one has charged and journaled stands. Raises what the last attempt raised;
        `CircuitOpen` or `BulkheadFull` before anything of the protocol has begun.
        """
        attempts = 0

        async def play() -> Outcome:
            nonlocal attempts
            attempts += 1
            name = f"{session}-{attempts}" if session and attempts > 1 else session
            playing = {**(implementations or {}), **roles}
            return await self.runtime.run(
                choreography, playing, bindings=bindings, session=name, durable=durable, input=input
            )

        service = choreography.full_name
        around = Resilience(
            self._retry,
            self._bulkheads[service] if self._bulkheads is not None else None,
            self._breakers[service] if self._breakers is not None else None,
            self._timeout,
        )
        return await around.call(play, name=service)


def resilient_role(
    *,
    retry: Retry | None = None,
    bulkhead: Policy | None = None,
    breaker: Policy | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[[Endpoint], Awaitable[T]]], Callable[[Endpoint], Awaitable[T]]]:
    """Let the function of a role be run as by `Resilience`, as long as it has made no step.

    What it has sent or received it cannot take back: once it has, its errors are final, and only
    a new session can try again (`ResilientRuntime`). A call that the role makes in the middle
    of its part is wrapped by itself, with `resilient`. `timeout` is for the whole part.
    """
    require_timeout(timeout)

    def decorate(role: Callable[[Endpoint], Awaitable[T]]) -> Callable[[Endpoint], Awaitable[T]]:
        @wraps(role)
        async def wrapper(me: Endpoint) -> T:
            start = _stand(me)

            def on(error: BaseException) -> bool:
                return retry is not None and retry.on(error) and _stand(me) == start

            again = None if retry is None else replace(retry, on=on)
            around = Resilience(again, bulkhead, breaker, timeout)
            return await around.call(lambda: role(me), name=me.name)

        return wrapper

    return decorate


def _stand(me: Endpoint) -> tuple[Any, ...]:
    """Where a role stands; equal only as long as it has neither said nor heard anything."""
    seat = me.seat
    return (seat.monitor.state.number, seat.chosen, seat.tally.sent, seat.tally.received)
