"""The journal: what was sent, and the facts that hold because of it, in two streams.

`JOURNAL` has a chain of entries for each role instance and session, `JOURNAL_HEADS` says how
far each chain has come. An annotated message adds a `sent` entry and its facts in one record,
before it is published; if the publish fails, an `unsent` mark takes them back. A process that
is killed between the two leaves the entry of a message that no live session delivers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from time import time_ns

from ..broker.contract import Broker
from . import entry as entries
from . import findings, places
from . import head as heads
from . import receipt as receipts
from .chain import Chain
from .entry import Draft, Entry
from .errors import JournalBroken
from .findings import Findings
from .identity import Identity
from .keys import Signer
from .merge import FactSet, view_of
from .receipt import Receipt
from .writer import Writer

HEAD_CACHE = 4096


class Journal:
    """Owned by a runtime, or by whoever reads; `close` it before its broker.

    `clock` gives ns since 1970.
    """

    def __init__(
        self, broker: Broker, signer: Signer, *, clock: Callable[[], int] = time_ns
    ) -> None:
        self._broker = broker
        self._signer = signer
        self._clock = clock
        self._writers: dict[Identity, asyncio.Task[Writer]] = {}
        self._opening: asyncio.Task[None] | None = None

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

    async def _resumed(self, identity: Identity) -> Writer:
        await self.open()
        writer = Writer(self._broker, self._signer, identity, self._clock)
        await writer.resume()
        return writer

    async def add(self, identity: Identity, drafts: Sequence[Draft]) -> tuple[Entry, ...]:
        """Append to one instance's journal; returns once it is stored."""
        return await (await self.writer(identity)).add(drafts)

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
        return (end.number, end.hash)

    # reading --------------------------------------------------------------------------

    async def entries(
        self, *, namespace: str = "", protocol: str = "", session: str = "", role: str = ""
    ) -> AsyncIterator[Entry]:
        """All entries of the journals that fit, in the order they were stored; an empty name
        fits all. Streams: what it holds is one chain for each writer.

        Raises `JournalBroken` at the first entry that breaks a chain. Ends are not compared
        with the heads here: `verify` first where that matters.
        """
        await self.open()
        pattern = places.pattern(namespace, protocol, session, role)
        chains: dict[str, Chain] = {}
        async for record in self._broker.read(places.JOURNAL, pattern):
            chain = chains.get(record.subject)
            if chain is None:
                chain = chains[record.subject] = Chain.of(record.subject)
            writer = places.writer_of(record.subject)
            for entry in _unpacked(writer, record.payload, chain):
                yield entry

    async def read(
        self,
        *,
        namespace: str = "",
        protocol: str = "",
        session: str = "",
        role: str = "",
        fact: str = "",
    ) -> AsyncIterator[Entry]:
        """The facts that hold, as `entries`; with `fact`, those of this name."""
        unsent = _Unsent(self._broker)
        sent: dict[Identity, int] = {}
        async for entry in self.entries(
            namespace=namespace, protocol=protocol, session=session, role=role
        ):
            if entry.kind == "sent":
                sent[entry.writer] = entry.number
            if entry.kind != "fact" or (fact and entry.name != fact):
                continue
            if sent.get(entry.writer, 0) not in await unsent.of(entry.writer):
                yield entry

    async def view(self, identity: Identity) -> FactSet:
        """All facts that one instance knows: its own, and those it has merged, and so on.

        Holds the entries of the session; raises as `entries`.
        """
        namespace, protocol, session, _, _ = identity.tokens()
        found = self.entries(namespace=namespace, protocol=protocol, session=session)
        return view_of(identity, [entry async for entry in found])

    async def receipts(self, writer: Identity) -> tuple[tuple[Receipt, ...], frozenset[bytes]]:
        """One instance's receipts in order, and the hashes of those whose charge was given back."""
        issued: dict[int, Receipt] = {}
        void: set[int] = set()
        namespace, protocol, session, role, index = writer.tokens()
        found = self.entries(namespace=namespace, protocol=protocol, session=session, role=role)
        async for entry in found:
            if str(entry.index) != index:
                continue
            if entry.kind == "unsent":
                void.add(entry.count)
            elif entry.proof and entry.kind == "sent":
                issued[entry.number] = _receipt(entry)
        given_back = frozenset(issued[number].hash for number in void & issued.keys())
        return tuple(issued.values()), given_back

    async def verify(
        self,
        *,
        namespace: str = "",
        protocol: str = "",
        session: str = "",
        role: str = "",
        trusted: Collection[bytes] | None = None,
    ) -> Findings:
        """Find every altered, missing, moved or foreign entry and every cut end, with its place.

        Without `trusted`, a journal whose heads someone signed anew with his own key passes;
        compare `Findings.signers`.
        """
        await self.open()
        pattern = places.pattern(namespace, protocol, session, role)
        return await findings.verify(self._broker, pattern, trusted=trusted)


def _unpacked(writer: Identity, payload: bytes, chain: Chain) -> tuple[Entry, ...]:
    try:
        found = entries.unpack(writer, payload)
    except ValueError as error:
        raise JournalBroken(f"{writer.instance}, after entry {chain.count}", str(error)) from None
    for entry in found:
        fault = chain.follow(entry)
        if fault is not None:
            raise JournalBroken(f"{writer.instance}, entry {fault.number}", fault.message)
    return found


def _receipt(entry: Entry) -> Receipt:
    try:
        return receipts.unpack(entry.proof)
    except ValueError:
        where = f"{entry.writer.instance}, entry {entry.number}"
        raise JournalBroken(where, "it carries no receipt that can be read") from None


class _Unsent:
    """Which `sent` entries of a writer do not hold, from the writers' heads."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: dict[Identity, frozenset[int]] = {}

    async def of(self, writer: Identity) -> frozenset[int]:
        known = self._known.get(writer)
        if known is None:
            if len(self._known) >= HEAD_CACHE:
                self._known.clear()
            known = self._known[writer] = await self._read(writer)
        return known

    async def _read(self, writer: Identity) -> frozenset[int]:
        last = await self._broker.last(places.HEADS, places.head_subject(writer))
        if last is None:
            return frozenset()
        try:
            head = heads.unpack(places.journal_subject(writer), last.payload)
        except ValueError as error:
            raise JournalBroken(writer.instance, str(error)) from None
        if not head.is_signed:
            raise JournalBroken(writer.instance, "its head's signature does not fit")
        return frozenset(head.unsent)
