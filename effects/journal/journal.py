"""The journal: what was sent, and the facts that hold because of it, in two streams.

`JOURNAL` has a chain of entries for each role instance and session, `JOURNAL_HEADS` says how
far each chain has come. An annotated message adds a `sent` entry and its facts in one record,
before it is published; if the publish fails, an `unsent` mark takes them back. A process that
is killed between the two leaves the entry of a message that no live session delivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar, Unpack

from ...broker.contract import Broker
from ...broker.surroundings import now_ns
from ..errors import JournalBroken
from ..identity import Identity
from ..keys import Signer
from . import entry as entries
from . import places
from .entry import Draft, Entry
from .history.reading import History
from .history.reducer import Reducer
from .history.selection import Writers, pattern
from .writer import Writer

if TYPE_CHECKING:
    # What a session that only writes starts without is loaded at its first use.
    from .history.comparison import Comparison
    from .history.rebuilding import Rebuilt
    from .history.union import Joined

S = TypeVar("S")

TRIES = 5
"""How often a take-over is tried while the writer before goes on writing."""


class Journal(History):
    """Owned by a runtime, or by whoever reads; `close` it before its broker.

    `signer` signs heads and snapshots, and is trusted for the snapshots that are read.
    `clock` gives ns since 1970. How it is read: see `History`.
    """

    def __init__(
        self, broker: Broker, signer: Signer, *, clock: Callable[[], int] = now_ns
    ) -> None:
        super().__init__(broker, signers=[signer.public], clock=clock)
        self._broker = broker
        self._signer = signer
        self._writers: dict[Identity, asyncio.Task[Writer]] = {}
        self._opening: asyncio.Task[None] | None = None

    @property
    def public(self) -> bytes:
        """The key that its heads and snapshots are signed with."""
        return self._signer.public

    async def open(self) -> None:
        """Have the two streams. Any other method does so first."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._ensure())
        await asyncio.shield(self._opening)

    async def _ensure(self) -> None:
        await self._broker.ensure_stream(places.JOURNAL, places.JOURNAL_SUBJECTS)
        await self._broker.ensure_stream(places.HEADS, places.HEAD_SUBJECTS)

    # writing --------------------------------------------------------------------------

    async def writer(self, identity: Identity) -> Writer:
        """The writer of one instance; its chain goes on where it ended. Raises `JournalBroken`."""
        opening = self._writers.get(identity)
        if opening is None or (opening.done() and opening.exception()):
            opening = self._writers[identity] = asyncio.create_task(self._resumed(identity))
        return await asyncio.shield(opening)

    def opened(self, identity: Identity) -> Writer | None:
        """The writer of one instance, if it has begun."""
        opening = self._writers.get(identity)
        if opening is None or not opening.done() or opening.cancelled() or opening.exception():
            return None
        return opening.result()

    async def _resumed(self, identity: Identity) -> Writer:
        await self.open()
        writer = Writer(self._broker, self._signer, identity, self._clock)
        await writer.resume()
        return writer

    async def add(self, identity: Identity, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Append to one instance's journal; returns once it is stored."""
        return await (await self.writer(identity)).add(drafts)

    async def take_over(
        self, identity: Identity, worker: str, still: Callable[[], Awaitable[None]]
    ) -> None:
        """Fence whoever else writes for this instance: nothing of it is stored from now on.

        `still` is asked once it is known how far the journal has come, and the mark is stored only
        if that is as far as it has: so whoever has lost the instance fences nobody, however
        late he comes."""
        for tries in range(1, TRIES + 1):
            self._writers.pop(identity, None)
            try:
                await self.writer(identity)
                await still()
                await self.add(identity, [Draft("resumed", worker[:200], 0, "", "")])
            except JournalBroken:
                if tries == TRIES:
                    raise
            else:
                return

    async def leave(self, identity: Identity) -> None:
        """Write nothing more for an instance: no head either, as another process has its end."""
        opening = self._writers.pop(identity, None)
        if opening is None:
            return
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            opening.result().leave()

    async def finish(self, identity: Identity) -> None:
        """End one instance's writer with a signed head, if it could begin."""
        opening = self._writers.pop(identity, None)
        if opening is None:
            return
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await opening.result().finish()

    async def close(self) -> None:
        """End all writers; the first failure is raised when all have been tried."""
        ends = [self.finish(identity) for identity in self._writers]
        failed = [e for e in await asyncio.gather(*ends, return_exceptions=True) if e is not None]
        if failed:
            raise failed[0]

    async def end_of(self, identity: Identity) -> tuple[int, bytes]:
        """The number and hash of the last stored entry of an instance; (0, b"") for none."""
        await self.open()
        last = await self._broker.last(places.JOURNAL, places.journal_subject(identity))
        if last is None:
            return (0, b"")
        try:
            end = entries.unpack(identity, last.payload)[-1]
        except ValueError as error:
            raise JournalBroken(identity.instance, str(error)) from None
        return (end.last, end.hash)

    # keeping --------------------------------------------------------------------------

    async def snapshot(
        self,
        reducer: Reducer[S],
        *,
        trusted: Collection[bytes] | None = None,
        **writers: Unpack[Writers],
    ) -> Rebuilt[S]:
        """Rebuild the state, and keep it so that the next rebuild begins here.

        Raises as `rebuild`, and `StateUnpackable` for a state that could not be brought back.
        """
        from .history import rebuilding

        rebuilt = await self.rebuild(reducer, trusted=trusted, **writers)
        await rebuilding.keep(
            self._broker, self._signer, reducer, pattern(writers), rebuilt, self._clock
        )
        return rebuilt

    async def join(
        self,
        source: History,
        *,
        trusted: Collection[bytes] | None = None,
        **writers: Unpack[Writers],
    ) -> tuple[Comparison, Joined]:
        """Add what this journal lacks of another, and say how the two stood before.

        What the other has beyond its signed heads is left out, as nothing proves whose it is; with
        `trusted` its heads must be signed by one of these keys. Chains that diverged are left
        as they are; doing it again adds nothing. A journal that was cut at its end is completed
        so. Raises `JournalDamaged` for one that is damaged otherwise.
        """
        from .history import union

        found = await self.compare(source, trusted=trusted, signed=True, **writers)
        return found, await union.join(self._broker, source.records, pattern(writers), found)
