"""An event loop without a machine under it: its time jumps to the next timer when nothing is ready.

What runs on it belongs to processes (a context variable says to which), and the loop gives each
process a queue of its own. Within a process callbacks run in the order in which they became ready,
as asyncio promises. Which process runs next is drawn from the seed: there is no order between the
callbacks of two processes in the world either.

There is no I/O here: what waits for a socket, a thread or a child process waits for ever, and `Stuck`
says so.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import sys
from asyncio import Handle, TimerHandle
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, Self, TypeVar, TypeVarTuple, cast

from ..surroundings import Surroundings
from .errors import Endless, Stuck

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGINNING = 1_000.0
"""What `time()` says at first. Not 0, which some take for never."""

EPOCH_NS = 1_767_225_600 * 10**9
"""The simulated calendar begins with 2026 (UTC)."""

STEPS = 2_000_000
"""Callbacks after which a simulation counts as endless."""


class Process:
    """What could be killed by itself. `skew_ns` is how far its calendar is ahead; `tasks` are
    those that run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.skew_ns = 0
        self.ready: deque[Handle] = deque()
        self.tasks: dict[asyncio.Task[Any], None] = {}

    def __repr__(self) -> str:
        return f"Process({self.name})"


PROCESS: ContextVar[Process | None] = ContextVar("pavane_process", default=None)


class NumberedTask(asyncio.Task[T]):
    """A task whose hash does not depend on where it is in memory, so that sets of tasks are gone
    through in the same order each time."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.AbstractEventLoop, Surroundings):
    """`seed` decides names and, with `shuffled`, which process runs next. `mishaps` is what was
    said to the exception handler: nobody waits for it, and it is always a bug."""

    def __init__(self, seed: int | str = 0, *, shuffled: bool = True) -> None:
        self._time = BEGINNING
        self._nobody = Process("")
        self._waiting: list[Process] = []
        self._timers: list[tuple[float, int, TimerHandle, Process | None]] = []
        self._count = 0
        self._tasks = 0
        self._stopping = False
        self._running = False
        self._closed = False
        self._order = random.Random(f"order/{seed}") if shuffled else None
        self._names = random.Random(f"names/{seed}")
        self.steps = 0
        self.limit = STEPS
        self.mishaps: list[dict[str, Any]] = []

    @classmethod
    def begun(cls, seed: int | str = 0, *, shuffled: bool = True) -> Self:
        """A new one. (What it has not, from sockets to signals, would make it abstract.)"""
        return cls(seed, shuffled=shuffled)

    # --- surroundings ------------------------------------------------------------------

    def now_ns(self) -> int:
        process = PROCESS.get()
        skew = 0 if process is None else process.skew_ns
        return EPOCH_NS + int((self._time - BEGINNING) * 1e9) + skew

    def unique_bytes(self, count: int) -> bytes:
        return self._names.randbytes(count)

    @property
    def elapsed(self) -> float:
        """Seconds since the simulation began."""
        return self._time - BEGINNING

    # --- calls -------------------------------------------------------------------------

    def time(self) -> float:
        return self._time

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        handle = Handle(callback, args, self, context)
        self._make_ready(handle, PROCESS.get() if context is None else context.get(PROCESS))
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        return self.call_soon(callback, *args, context=context)

    def _make_ready(self, handle: Handle, process: Process | None) -> None:
        if process is None or self._order is None:
            process = self._nobody
        if not process.ready:
            self._waiting.append(process)
        process.ready.append(handle)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        handle = TimerHandle(when, callback, list(args), self, context)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle, process))
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """What a timer tells its loop; it is dropped when its time has come."""

    # --- tasks and futures ---------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **_: Any,
    ) -> asyncio.Task[T]:
        self._tasks += 1
        process = PROCESS.get() if context is None else context.get(PROCESS)
        task: NumberedTask[T] = NumberedTask(coro, loop=self, name=name, context=context)
        task.number = self._tasks
        if process is not None:
            process.tasks[task] = None
            task.add_done_callback(process.tasks.pop)
        return task

    # --- running -------------------------------------------------------------------------

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Raises `Stuck` where nothing will ever happen any more, `Endless` where no time passes."""
        waited = asyncio.ensure_future(cast(Awaitable[T], future), loop=self)
        with self._as_running():
            while not waited.done():
                if not self._step():
                    raise Stuck(self.elapsed)
        return waited.result()

    def run_forever(self) -> None:
        with self._as_running():
            while not self._stopping and self._step():
                pass
        self._stopping = False

    def settle(self) -> None:
        """Run until nothing is ready, without letting time pass."""
        with self._as_running():
            while self._waiting:
                self._step()

    @contextmanager
    def _as_running(self) -> Generator[None]:
        if self._running or asyncio._get_running_loop() is not None:  # pyright: ignore[reportPrivateUsage]
            raise RuntimeError("an event loop runs in this thread already")
        before = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)  # pyright: ignore[reportPrivateUsage]
        sys.set_asyncgen_hooks(finalizer=self._finalize)
        self._running = True
        try:
            yield
        finally:
            self._running = False
            asyncio._set_running_loop(None)  # pyright: ignore[reportPrivateUsage]
            sys.set_asyncgen_hooks(*before)

    def _finalize(self, generator: AsyncGenerator[Any, None]) -> None:
        if not self._closed:
            self.create_task(generator.aclose())

    def _step(self) -> bool:
        """Run one callback; False where there is none, and none will come."""
        while not self._waiting:
            if not self._advance():
                return False
        waiting = self._waiting
        place = 0
        if self._order is not None and len(waiting) > 1:
            place = int(self._order.random() * len(waiting))
        process = waiting[place]
        handle = process.ready.popleft()
        if not process.ready:
            del waiting[place]
        self.steps += 1
        if self.steps > self.limit:
            raise Endless(self.limit, self.elapsed)
        if not handle.cancelled():
            handle._run()  # pyright: ignore[reportPrivateUsage]  # what event loops call
        return True

    def _advance(self) -> bool:
        """Let time pass until the next timer, and make ready what is due then."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            return False
        self._time = max(self._time, timers[0][0])
        while timers and timers[0][0] <= self._time:
            _, _, handle, process = heapq.heappop(timers)
            if not handle.cancelled():
                self._make_ready(handle, process)
        return True

    # --- the rest of what a loop has -----------------------------------------------------

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Forget what has not run."""
        self._closed = True
        self._timers.clear()
        for process in self._waiting:
            process.ready.clear()
        self._waiting.clear()

    async def shutdown_asyncgens(self) -> None:
        """There are none that it keeps."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def get_task_factory(self) -> None:
        """It has its own tasks, and takes no others."""

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """There is nothing to be seen beyond the trace."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.mishaps.append(context)
