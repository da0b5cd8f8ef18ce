"""`Retry`: the same again, a little later each time, through tenacity."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import anyio

from ...broker.surroundings import Chance
from .bounds import require_count, require_seconds, require_timeout
from .policy import Operation, Sleep, T, named, retryable, timed

if TYPE_CHECKING:
    from tenacity import RetryCallState

JITTER = 0.25
"""The largest part of a delay that is added to it by chance."""

_LAST_DOUBLING = 1000  # 2.0**1024 is no float any more, and every cap is long passed by then


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that failed and is followed by another: `number` from 1, `delay` seconds from now."""

    operation: str
    number: int
    error: Exception
    delay: float


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `attempts` attempts, each cancelled after `timeout` seconds.

    Before attempt k + 2 comes a delay of `base * 2**k` seconds and up to a quarter more, never
    longer than `cap`. An error for which `on` is false comes back at once. `random` makes
    the jitter: give a seeded one for the same delays every time. `observe` is told of each
    attempt that failed and is followed by another. Any number of calls may share one `Retry`.

        fetch = Retry(attempts=5, base=0.2, timeout=2.0)
        page = await fetch.call(lambda: client.get(url))
    """

    attempts: int = 3
    base: float = 0.1
    cap: float = 30.0
    timeout: float | None = None
    on: Callable[[BaseException], bool] = retryable
    observe: Callable[[Attempt], None] | None = None
    random: Random = field(default_factory=Chance, compare=False)
    sleep: Sleep = anyio.sleep

    def __post_init__(self) -> None:
        require_count("attempts", self.attempts, 1)
        require_seconds("base", self.base, sys.float_info.max)
        require_seconds("cap", self.cap)
        require_timeout(self.timeout)

    def delay(self, number: int) -> float:
        """The seconds to wait after failed attempt `number` (from 1); another each time."""
        doubled = self.base * 2.0 ** min(number - 1, _LAST_DOUBLING)
        return min(self.cap, doubled * (1 + JITTER * self.random.random()))

    async def call(self, operation: Operation[T], *, name: str = "") -> T:
        """Run `operation` until it succeeds, or the attempts are used up, or an error is final.

        Raises the last attempt's error, with a note on the attempts before it.
        """
        name = name or named(operation)
        return await self.drive(lambda: timed(operation, self.timeout, name), name)

    async def drive(self, attempt: Operation[T], name: str) -> T:
        """As `call`, where `attempt` itself sees to its timeout."""
        # Loaded with the first retry: most sessions have none.
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        failed: list[Exception] = []
        # One for each call: what tenacity keeps of an iteration is shared by concurrent calls.
        retrying = AsyncRetrying(
            sleep=self.sleep,
            stop=stop_after_attempt(self.attempts),
            wait=lambda state: self.delay(state.attempt_number),
            retry=retry_if_exception(self._again),
            before_sleep=lambda state: self._failed(state, name, failed),
            reraise=True,
        )

        async def one() -> T:
            # tenacity awaits coroutine functions only, and an operation may be anything.
            return await attempt()

        try:
            return await retrying(one)
        except Exception as error:
            if failed:
                error.add_note(_note(name, failed))
            raise

    def _again(self, error: BaseException) -> bool:
        """Whoever is cancelled does not go on, whatever `on` says."""
        return isinstance(error, Exception) and self.on(error)

    def _failed(self, state: RetryCallState, name: str, failed: list[Exception]) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, Exception) and state.next_action is not None
        failed.append(error)
        if self.observe is not None:
            self.observe(Attempt(name, state.attempt_number, error, state.next_action.sleep))


def _note(name: str, failed: list[Exception]) -> str:
    lines = [f"attempt {len(failed) + 1} of {name}; those before it failed too:"]
    lines += [f"  {n}. {type(e).__name__}: {_first_line(e)}" for n, e in enumerate(failed, 1)]
    return "\n".join(lines)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
