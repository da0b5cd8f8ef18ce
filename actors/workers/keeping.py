"""Keeping items in progress, and knowing whether they have been ours all the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

from ...broker.contract import WorkItem
from ...broker.errors import BrokerError

MARGIN = 0.8
"""The part of a lease after which it is taken for lost: what left us late arrives later still."""

AT_ONCE = 256
"""How many items are kept with one round trip."""


Ask = Callable[[], Awaitable[float | None]]
"""Says the lease that the queue has at this moment. Raises `BrokerError`."""


async def _unasked() -> None:
    """For a queue whose lease nobody else sets."""


class Kept:
    """One item. `lost` is set for good once it may have gone to another worker in between, even
    if it came back: whoever has lost an item may neither end it nor give it back."""

    __slots__ = ("_heard", "_keeper", "item", "lost")

    def __init__(self, item: WorkItem, keeper: Keeper) -> None:
        self.item = item
        self.lost = False
        self._keeper = keeper
        self._heard = keeper.now()

    @property
    def held(self) -> bool:
        """Whether it is ours beyond doubt."""
        if self._keeper.now() - self._heard > self._keeper.lease * MARGIN:
            self.lost = True
        return not self.lost

    async def renew(self) -> None:
        if not self.held:
            return
        # The server begins the lease anew when this reaches it, which is later than now.
        asked = self._keeper.now()
        try:
            await self.item.in_progress()
        except BrokerError:
            return
        if self.held:
            self._heard = asked


class Keeper:
    """Renews the leases of everything that a worker has taken, three times in a lease.

    Another may have set a shorter lease while we were stopped, or cut off: `ask` says what the queue
    has. Ours never grows again: a topic has the longer one only once somebody who knows of it
    takes from there. The clock must go on while the process is stopped, as a worker that was stopped
    for longer than a lease has lost its items.
    """

    def __init__(
        self, lease: float, now: Callable[[], float] = time.monotonic, ask: Ask = _unasked
    ) -> None:
        self.lease = lease
        self.longest = lease
        """As the queue had it when it was last asked, and not shorter than ours."""
        self.now = now
        self._ask = ask
        self._shorter = asyncio.Event()
        self._kept: dict[Kept, None] = {}
        self._renewing: asyncio.Task[None] | None = None

    def keep(self, item: WorkItem) -> Kept:
        kept = Kept(item, self)
        self._kept[kept] = None
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="pavane-keeper")
        return kept

    def drop(self, kept: Kept) -> None:
        self._kept.pop(kept, None)

    def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

    async def look(self) -> None:
        """Go by the lease that the queue has by now. To be called whenever something was taken, which
        may be because of a shorter one; all that is kept is renewed at once then."""
        found = await self._ask() or self.lease
        self.longest = max(self.lease, found)
        if found < self.lease:
            self.lease = found
            self._shorter.set()

    async def _renew(self) -> None:
        while True:
            await self._pause()
            # First, since what we hold no more is not to be renewed.
            with suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(self.lease / 6):
                    await self.look()
            self._shorter.clear()
            for batch in self._batches():
                await asyncio.gather(*(kept.renew() for kept in batch))

    async def _pause(self) -> None:
        """A third of the lease, or until it is shorter."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.lease / 3):
                await self._shorter.wait()

    def _batches(self) -> Iterator[list[Kept]]:
        kept = list(self._kept)
        for start in range(0, len(kept), AT_ONCE):
            yield kept[start : start + AT_ONCE]
