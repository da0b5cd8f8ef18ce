"""`Bulkhead`: so that one slow service does not take every hand there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anyio

from .bounds import require_count
from .errors import BulkheadFull
from .policy import Operation, T


class Bulkhead:
    """At most `limit` calls of `service` run at once and `queue` wait, in order; another is
    refused. Shared by all calls in this event loop."""

    def __init__(self, service: str, limit: int, queue: int = 0) -> None:
        require_count("limit", limit, 1)
        require_count("queue", queue, 0)
        self.service = service
        self.limit = limit
        self.queue = queue
        self._inside = 0
        self._running = 0
        self._places = anyio.Semaphore(limit, fast_acquire=True)

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._inside - self._running

    async def call(self, operation: Operation[T], *, name: str = "") -> T:
        """Run `operation`, after those before it; raises `BulkheadFull` without having begun it.

        Who is cancelled while it waits leaves its place to the next.
        """
        if self._inside >= self.limit + self.queue:
            raise BulkheadFull(self.service, self.running, self.waiting)
        self._inside += 1
        try:
            async with self._places:
                self._running += 1
                try:
                    return await operation()
                finally:
                    self._running -= 1
        finally:
            self._inside -= 1


class Bulkheads(Mapping[str, Bulkhead]):
    """One bulkhead for each service, made when it is first asked for. `sizes` are the limit and
    queue of single services."""

    def __init__(
        self, limit: int, queue: int = 0, *, sizes: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        self._size = (limit, queue)
        self._sizes = dict(sizes or {})
        self._bulkheads: dict[str, Bulkhead] = {}

    def __getitem__(self, service: str) -> Bulkhead:
        bulkhead = self._bulkheads.get(service)
        if bulkhead is None:
            limit, queue = self._sizes.get(service, self._size)
            bulkhead = self._bulkheads[service] = Bulkhead(service, limit, queue)
        return bulkhead

    def __contains__(self, service: object) -> bool:
        return service in self._bulkheads

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._bulkheads))

    def __len__(self) -> int:
        return len(self._bulkheads)
