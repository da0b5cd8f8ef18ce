"""The reading half of a journal: asked, followed, verified, rebuilt from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, Unpack

from ....broker.surroundings import now_ns
from ...errors import JournalBroken
from ...flow import receipt as receipts
from ...flow.receipt import Receipt
from ...identity import Identity
from .. import findings
from ..entry import Entry
from ..findings import Findings, Survey
from ..merge import FactSet, view_of
from . import walking
from .errors import JournalDamaged
from .records import Records
from .reducer import Reduce, Reducer, reduced_by
from .selection import Filter, Writers, pattern, selection

if TYPE_CHECKING:
    # What a session that only writes its journal starts without is loaded at its first use.
    from .comparison import Comparison, Digest
    from .rebuilding import Rebuilt

S = TypeVar("S")


class History:
    """Reads from `records`: a broker's streams or an exported file. Nothing is held of what is
    read but one chain for each writer, so a journal of any length streams.

    `signers` are the public keys whose snapshots are used.
    """

    def __init__(
        self,
        records: Records,
        *,
        signers: Collection[bytes] = (),
        clock: Callable[[], int] = now_ns,
    ) -> None:
        self.records = records
        self._signers = frozenset(signers)
        self._clock = clock

    async def open(self) -> None:
        """Make sure that there is something to read. Any other method does so first."""

    async def entries(self, **chosen: Unpack[Filter]) -> AsyncIterator[Entry]:
        """All entries that fit, in the order they were stored, those taken back included.

        Raises `JournalBroken` at the first entry that breaks its chain. A journal that was cut
        off at its end is not noticed here: `verify` first where that matters.
        """
        await self.open()
        async for entry in walking.walk(self.records, selection(chosen, self._clock())):
            yield entry

    async def query(
        self, *, trusted: Collection[bytes] | None = None, **chosen: Unpack[Filter]
    ) -> AsyncIterator[Entry]:
        """The facts that hold, in the order they were stored: their messages were sent.

        Raises as `entries`; without `since` and `until` also at the end, for a chain that ends
        before its head. With `since` nothing before is read, nor checked. With `trusted` a chain's
        head must be signed by one of these keys: it says which messages were taken back.
        """
        await self.open()
        chosen_now = selection(chosen, self._clock())
        async for fact in walking.facts(self.records, chosen_now, trusted):
            yield fact

    async def tail(self, last: int = 0, **chosen: Unpack[Filter]) -> AsyncIterator[Entry]:
        """The `last` entries that fit, or those from `since` on, and then all that are added
        while this runs; it never ends by itself. What is taken back later has been seen by then:
        look for the `unsent` mark. Raises `JournalBroken` as `entries`."""
        await self.open()
        chosen_now = selection(chosen, self._clock())
        async for entry in walking.follow(self.records, chosen_now, last):
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
        instance = f"{role}[{index}]"
        found = self.entries(namespace=namespace, protocol=protocol, session=session, role=instance)
        async for entry in found:
            if entry.kind == "unsent":
                void.add(entry.count)
            elif entry.proof and entry.kind == "sent":
                issued[entry.number] = _receipt(entry)
        given_back = frozenset(issued[number].hash for number in void & issued.keys())
        return tuple(issued.values()), given_back

    async def verify(
        self, *, trusted: Collection[bytes] | None = None, **writers: Unpack[Writers]
    ) -> Findings:
        """Find every altered, missing, moved or foreign entry and every cut end, with its place.

        Without `trusted`, the first key that signed for a chain is trusted, so that a journal
        which someone signed throughout with his own key passes; compare `Findings.signers`.
        """
        return (await self.survey(trusted=trusted, **writers)).findings

    async def survey(
        self, *, trusted: Collection[bytes] | None = None, **writers: Unpack[Writers]
    ) -> Survey:
        """As `verify`, with the end of every chain and what was taken back."""
        await self.open()
        return await findings.survey(self.records, pattern(writers), trusted=trusted)

    async def digest(self, **writers: Unpack[Writers]) -> Digest:
        """How far each writer has come; equal for journals with the same entries. Raises
        `JournalDamaged`."""
        from .comparison import digest

        await self.open()
        return await digest(self.records, pattern(writers))

    async def compare(
        self,
        other: History,
        *,
        trusted: Collection[bytes] | None = None,
        signed: bool = False,
        **writers: Unpack[Writers],
    ) -> Comparison:
        """How this journal stands to another: equal, behind, ahead or diverged, for each writer. With
        `signed` the other counts only as far as its heads go; with `trusted` these must be signed
        by one of the keys. Raises `JournalDamaged`."""
        from .comparison import compare

        await self.open()
        await other.open()
        chosen = pattern(writers)
        return await compare(self.records, other.records, chosen, trusted=trusted, signed=signed)

    async def export(self, path: Path, **writers: Unpack[Writers]) -> int:
        """Write the journal to a file that an `Archive` reads; how many entries that was.

        Verified first: raises `JournalDamaged`, and then there is no file.
        """
        from . import archive

        seen = await self.survey(**writers)
        if not seen.findings.ok:
            raise JournalDamaged(seen.findings)
        with _created(path) as file:
            return await archive.write(file, self.records, pattern(writers))

    async def rebuild(
        self,
        reducer: Reducer[S] | Reduce[S],
        initial: S | None = None,
        *,
        trusted: Collection[bytes] | None = None,
        **writers: Unpack[Writers],
    ) -> Rebuilt[S]:
        """The state that the entries which hold come to, in the order they were stored.

        A `Reducer` begins at its last snapshot, if there is one that can be trusted; a plain
        function `f(state, entry)` begins with `initial`. Everything that is going to be reduced
        is verified first: raises `JournalDamaged` before `reducer` is called, `ReducerFailed`
        if that raises.
        """
        from .rebuilding import rebuild

        await self.open()
        chosen = reduced_by(reducer, initial)
        known = self._signers | frozenset(trusted or ())
        return await rebuild(self.records, chosen, pattern(writers), known, trusted)


def _created(path: Path) -> BinaryIO:
    return path.open("wb")


def _receipt(entry: Entry) -> Receipt:
    try:
        return receipts.unpack(entry.proof)
    except ValueError:
        where = f"{entry.writer.instance}, entry {entry.number}"
        raise JournalBroken(where, "it carries no receipt that can be read") from None
