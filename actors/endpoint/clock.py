"""The one place where a session learns the time: what `timeout` counts by, and what it waits on.

A session is handed a `Clock`. Live sessions have `LoopClock`; a durable session substitutes one
whose times are those in its log while it replays, and a simulation one that moves by itself.
Nothing else in `actors/` that a role function can see the effect of may ask for the time.

There are two scales. `now` is for people and records. Deadlines are points on the scale of
`monotonic`, which never goes back and stands still for nobody's clock change; a clock whose
deadlines must outlast the process gives times of its log there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ...broker.surroundings import now


class Timer(Protocol):
    """A call that is to come. `cancel` may be called at any time and more than once."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What a session asks for the time. Used from the session's event loop only."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since no particular moment; never goes back."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop once `monotonic()` has reached `when`, never within
        this call; soon if that is past."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when so much time has passed on the scale of `monotonic`."""
        ...


class LoopClock:
    """The time of the machine and of the running event loop."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        return now()

    def monotonic(self) -> float:
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
