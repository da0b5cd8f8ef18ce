"""Which journal a verb reads, which of its entries, and whose signature it trusts."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..broker.connect import connect
from ..broker.contract import Broker
from ..broker.surroundings import now_ns
from ..effects.journal.findings import Survey
from ..effects.journal.history.archive import Archive
from ..effects.journal.history.errors import KeyUnusable
from ..effects.journal.history.keyfile import (
    KNOWN,
    LENGTHS,
    KnownJournals,
    KnownLengths,
    Length,
    own_signer,
    public_keys,
    state_folder,
)
from ..effects.journal.history.reading import History
from ..effects.journal.history.selection import Filter, Moment, Writers, selection
from ..effects.journal.journal import Journal
from .brokers import JETSTREAM, address, kept_address, options
from .errors import UsageError
from .loop import play

AGO = re.compile(r"([0-9]{1,9})(ms|s|m|h|d|w)")
UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a journal is: an address, the folder of a store, or an exported file."""

    url: str | None = None
    store: Path | None = None
    file: Path | None = None
    allow_remote: bool = False

    def check(self) -> None:
        if self.file is not None and (self.store is not None or self.url is not None):
            raise UsageError(
                f"--file {self.file} stands for a whole journal",
                hint="leave out --store and --url, also PAVANE_URL",
            )
        if self.file is not None and not self.file.exists():
            raise UsageError(
                f"there is no file {self.file}",
                hint="give one that `pavane journal export` wrote as JSON lines",
            )

    @property
    def name(self) -> str:
        """What its keys are remembered under; nothing for a file, which anyone may have made."""
        if self.store is not None:
            return str(self.store.resolve())
        return self.url or ""


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries: what is empty fits all."""

    namespace: str = ""
    protocol: str = ""
    session: str = ""
    role: str = ""
    fact: str = ""
    since: str = ""
    until: str = ""

    def writers(self) -> Writers:
        return Writers(
            namespace=self.namespace, protocol=self.protocol, session=self.session, role=self.role
        )

    def filter(self) -> Filter:
        chosen = Filter(
            namespace=self.namespace,
            protocol=self.protocol,
            session=self.session,
            role=self.role,
            fact=self.fact,
        )
        if self.since:
            chosen["since"] = moment("--since", self.since)
        if self.until:
            chosen["until"] = moment("--until", self.until)
        found = selection(chosen, now_ns())
        if found.until and found.since > found.until:
            raise UsageError(
                f"--since {self.since} is later than --until {self.until}",
                hint="write them the other way round",
            )
        return chosen


def nothing(query: Query) -> str:
    """Why there is no entry: there is none at all, or none that fits."""
    if query == Query():
        return "The journal is empty: no annotated message has been sent."
    asked = [f"{name} {value}" for name, value in asdict(query).items() if value]
    return f"The journal has no entry for {', '.join(asked)}."


def moment(option: str, text: str) -> Moment:
    """`10m` ago, or a date, or a date and a time; raises `UsageError`."""
    ago = AGO.fullmatch(text.strip())
    try:
        return int(ago[1]) * UNITS[ago[2]] if ago else datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text} is no point in time",
            hint=f"write {option} 10m, 2h or 7d for so long ago, or 2026-11-23T22:15 (local time)",
        ) from None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: the keys of `--trust`, else those that signed when this journal
    was first verified, else whoever signs."""

    own: bytes
    given: frozenset[bytes] | None = None
    journal: str = ""

    def known(self) -> dict[bytes, datetime]:
        """The keys that were trusted before, with since when."""
        return self._file().keys(self.journal) if self.journal else {}

    def keys(self) -> frozenset[bytes] | None:
        """None at the first use, which trusts whoever signs."""
        if self.given is not None:
            return self.given
        known = frozenset(self.known())
        return known | {self.own} if known else None

    def remember(self, signers: set[bytes]) -> None:
        if not self.journal:
            return
        file = self._file()
        with _kept(file.path, "name the keys with --trust instead"):
            file.add(self.journal, signers - set(self.known()))

    def length(self) -> Length | None:
        """How long the journal was when it was verified last."""
        return self._lengths().of(self.journal) if self.journal else None

    def remember_length(self, entries: int, beginning: bytes) -> None:
        if not self.journal:
            return
        file = self._lengths()
        hint = "let the folder be written to, or name another in XDG_STATE_HOME"
        with _kept(file.path, hint):
            file.set(self.journal, entries, beginning)

    def _file(self) -> KnownJournals:
        return KnownJournals(state_folder() / KNOWN)

    def _lengths(self) -> KnownLengths:
        return KnownLengths(state_folder() / LENGTHS)


@contextmanager
def _kept(path: Path, hint: str) -> Generator[None]:
    """Raise `KeyUnusable` for a file that cannot be written."""
    try:
        yield
    except OSError as error:
        raise KeyUnusable(str(path), error.strerror or str(error), hint) from None


@dataclass(frozen=True, slots=True)
class Book:
    """A journal that a verb has opened. `journal` can be written too; a file cannot."""

    history: History
    trust: Trust
    journal: Journal | None = None
    broker: Broker | None = None

    async def survey(self, query: Query) -> Survey:
        return await self.history.survey(trusted=self.trust.keys(), **query.writers())


Work = Callable[[Book], Awaitable[None]]


def trusted(files: list[Path] | None) -> frozenset[bytes] | None:
    """The keys in the files of `--trust`; None without any."""
    if not files:
        return None
    return frozenset[bytes]().union(*(public_keys(file) for file in files))


def with_book(place: Place, work: Work, trust: list[Path] | None = None) -> None:
    """Open the journal, let `work` have it, and close everything again."""
    place.check()
    given = trusted(trust)

    async def main() -> None:
        async with opened(place, given) as book:
            await work(book)

    play(main)


@asynccontextmanager
async def opened(
    place: Place, given: frozenset[bytes] | None = None, *, new: bool = False
) -> AsyncGenerator[Book]:
    """A journal that is there already, or with `new` one that may begin now."""
    signer = own_signer()
    trust = Trust(signer.public, given, "" if place.file else place.name)
    if place.file is not None:
        yield Book(History(Archive(place.file), signers=[signer.public]), trust)
        return
    where = (address if new else kept_address)(place.url, place.store)
    settings = options(place.store, allow_remote=place.allow_remote)
    broker = await connect(where, options=settings)
    try:
        journal = Journal(broker, signer)
        yield Book(journal, trust, journal, broker)
        await journal.close()
    finally:
        await broker.close()


def place_of(source: str, *, allow_remote: bool) -> Place:
    """What a user means by another journal: an address, a store, or an exported file."""
    if "://" in source:
        return Place(url=source, allow_remote=allow_remote)
    path = Path(source)
    if (path / JETSTREAM).is_dir():
        return Place(store=path)
    if path.is_file():
        return Place(file=path)
    raise UsageError(
        f"{source} is no journal",
        hint="give the directory of a store, an exported file, or nats://host:port",
    )
