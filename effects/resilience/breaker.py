"""`Breaker`: what refuses calls to a service that keeps failing (Nygard, Release It!, ch. 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import anyio

from .bounds import require_count, require_seconds
from .errors import CircuitOpen
from .policy import Clock, Operation, T, failing

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker went from one state to another. `error` is what opened it."""

    service: str
    before: State
    after: State
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Fuse:
    """How a breaker is set.

    `threshold` failures in a row open it. After `recovery` seconds it is half-open: `probes`
    calls are let through and no more; when all of them have succeeded it is closed, with the
    first that fails it is open again. `on` says which errors count; one that does not, and a
    cancellation, are no news: the row goes on, and a probe's place is free again.
    """

    threshold: int = 5
    recovery: float = 30.0
    probes: int = 1
    on: Callable[[BaseException], bool] = failing

    def __post_init__(self) -> None:
        require_count("threshold", self.threshold, 1)
        require_count("probes", self.probes, 1)
        require_seconds("recovery", self.recovery)


class Breaker:
    """The breaker of one service, shared by all calls to it in this event loop.

    Nothing is awaited between a look at the state and its change, so that counts are exact
    however many calls run at once. What comes back from before the last change of state is old
    news and changes nothing.
    """

    def __init__(
        self,
        service: str,
        fuse: Fuse | None = None,
        *,
        clock: Clock = anyio.current_time,
        observe: Callable[[Change], None] | None = None,
    ) -> None:
        self.service = service
        self.fuse = fuse or Fuse()
        self._clock = clock
        self._observe = observe
        self._state: State = "closed"
        self._era = 0
        self._failures = 0
        self._until = 0.0
        self._probing = 0
        self._passed = 0

    @property
    def state(self) -> State:
        """As it would be met by a call now."""
        if self._state == "open" and self._clock() >= self._until:
            return "half-open"
        return self._state

    @property
    def failures(self) -> int:
        """How many have failed in a row while closed."""
        return self._failures

    async def call(self, operation: Operation[T], *, name: str = "") -> T:
        """Run `operation`, or raise `CircuitOpen` at once, without having begun it."""
        era = self._enter()
        try:
            result = await operation()
        except BaseException as error:
            self._left(era, error)
            raise
        self._left(era, None)
        return result

    def _enter(self) -> int:
        """Let a call through, or raise; the era in which it began."""
        if self._state == "open":
            now = self._clock()
            if now < self._until:
                raise CircuitOpen(self.service, self._until, self._until - now)
            self._turn("half-open")
        if self._state == "half-open":
            if self._probing + self._passed >= self.fuse.probes:
                raise CircuitOpen(self.service, self._until, 0.0)
            self._probing += 1
        return self._era

    def _left(self, era: int, error: BaseException | None) -> None:
        if era != self._era:
            return
        failed = error is not None and self.fuse.on(error)
        if self._state == "half-open":
            self._probed(error, failed)
        elif failed:
            self._failures += 1
            if self._failures >= self.fuse.threshold:
                self._open(error)
        elif error is None:
            self._failures = 0

    def _probed(self, error: BaseException | None, failed: bool) -> None:
        self._probing -= 1
        if failed:
            self._open(error)
        elif error is None:
            self._passed += 1
            if self._passed >= self.fuse.probes:
                self._turn("closed")

    def _open(self, error: BaseException | None) -> None:
        self._until = self._clock() + self.fuse.recovery
        self._turn("open", error)

    def _turn(self, state: State, error: BaseException | None = None) -> None:
        change = Change(self.service, self._state, state, error)
        self._state = state
        self._era += 1
        self._failures = self._probing = self._passed = 0
        if self._observe is not None:
            self._observe(change)


class Breakers(Mapping[str, Breaker]):
    """One breaker for each service, made when it is first asked for.

    `fuses` are the settings of single services, `fuse` those of all others.
    """

    def __init__(
        self,
        fuse: Fuse | None = None,
        *,
        fuses: Mapping[str, Fuse] | None = None,
        clock: Clock = anyio.current_time,
        observe: Callable[[Change], None] | None = None,
    ) -> None:
        self._fuse = fuse or Fuse()
        self._fuses = dict(fuses or {})
        self._clock = clock
        self._observe = observe
        self._breakers: dict[str, Breaker] = {}

    def __getitem__(self, service: str) -> Breaker:
        breaker = self._breakers.get(service)
        if breaker is None:
            fuse = self._fuses.get(service, self._fuse)
            breaker = Breaker(service, fuse, clock=self._clock, observe=self._observe)
            self._breakers[service] = breaker
        return breaker

    def __contains__(self, service: object) -> bool:
        return service in self._breakers

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._breakers))

    def __len__(self) -> int:
        return len(self._breakers)
