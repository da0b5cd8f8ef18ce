"""Keeping items in progress, and knowing whether they have been ours all the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from ...broker.contract import WorkItem
from ...broker.errors import BrokerError

MARGIN = 0.8
"""The part of a lease after which it is taken for lost: what left us late arrives later still."""

AT_ONCE = 256
"""How many items are kept with one round trip."""


class Kept:
    """One item. `lost` is set for good once it may have gone to another worker in between, even
    if it came back: whoever has lost an item may neither end it nor give it back."""

    __slots__ = ("_heard", "_lease", "_now", "item", "lost")

    def __init__(self, item: WorkItem, lease: float, now: Callable[[], float]) -> None:
        self.item = item
        self.lost = False
        self._lease = lease
        self._now = now
        self._heard = now()

    @property
    def held(self) -> bool:
        """Whether it is ours beyond doubt."""
        if self._now() - self._heard > self._lease * MARGIN:
            self.lost = True
        return not self.lost

    async def renew(self) -> None:
        if not self.held:
            return
        # The server begins the lease anew when this reaches it, which is later than now.
        asked = self._now()
        try:
            await self.item.in_progress()
        except BrokerError:
            return
        if self.held:
            self._heard = asked


class Keeper:
    """Renews the leases of everything that a worker has taken, three times in a lease.

    The clock must go on while the process is stopped, as a worker that was stopped for longer
    than a lease has lost its items.
    """

    def __init__(self, lease: float, now: Callable[[], float] = time.monotonic) -> None:
        self.lease = lease
        self._now = now
        self._kept: dict[Kept, None] = {}
        self._renewing: asyncio.Task[None] | None = None

    def keep(self, item: WorkItem) -> Kept:
        kept = Kept(item, self.lease, self._now)
        self._kept[kept] = None
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="pavane-keeper")
        return kept

    def drop(self, kept: Kept) -> None:
        self._kept.pop(kept, None)

    def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 3)
            for batch in self._batches():
                await asyncio.gather(*(kept.renew() for kept in batch))

    def _batches(self) -> Iterator[list[Kept]]:
        kept = list(self._kept)
        for start in range(0, len(kept), AT_ONCE):
            yield kept[start : start + AT_ONCE]
