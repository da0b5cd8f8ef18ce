"""Journals read back for `pavane journal`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from ..effects.entry import Entry
from ..effects.findings import Findings
from ..effects.identity import Identity
from ..effects.journal import Journal
from ..effects.keys import Signer
from .brokers import connected, kept_address
from .errors import RunFailed
from .live import Account, Accounts
from .loop import play
from .screen import complaints, output, plural, say, write_json, write_json_line


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries: an empty name fits all."""

    namespace: str = ""
    protocol: str = ""
    session: str = ""
    role: str = ""
    fact: str = ""

    def entries(self, journal: Journal) -> AsyncIterator[Entry]:
        return journal.entries(
            namespace=self.namespace, protocol=self.protocol, session=self.session, role=self.role
        )

    async def findings(self, journal: Journal) -> Findings:
        return await journal.verify(
            namespace=self.namespace, protocol=self.protocol, session=self.session, role=self.role
        )


BREATH = 256
"""Entries between two turns of the event loop."""

Reader = Callable[[Journal, Query, bool], Awaitable[None]]


def read(
    reader: Reader,
    url: str | None,
    store: Path | None,
    allow_remote: bool,
    query: Query,
    *,
    json: bool,
) -> None:
    """Open the journal, let `reader` read it, and close everything again."""

    async def main() -> None:
        where = kept_address(url, store)
        async with connected(where, store, allow_remote=allow_remote) as broker:
            journal = Journal(broker, Signer())
            try:
                await reader(journal, query, json)
            finally:
                await journal.close()

    play(main)


# replay -----------------------------------------------------------------------------------


async def replay(journal: Journal, query: Query, json: bool) -> None:
    """Every entry in the order in which it was stored, then each role's account.

    Verified first, since what is replayed from a damaged journal is worse than nothing.
    Nothing is held but the accounts and the numbers of messages that were taken back.
    """
    findings = await query.findings(journal)
    if not findings.ok:
        _show_faults(findings)
        raise RunFailed("the journal is damaged")
    entries = query.entries(journal)
    withdrawn = {(e.writer, e.count) async for e in entries if e.kind == "unsent"}
    history = History(withdrawn)
    async for entry in breathing(query.entries(journal)):
        if json:
            write_json_line(entry_json(entry))
        else:
            for line in history.lines(entry):
                say(line)
        history.add(entry)
    if not json:
        history.close(_nothing(query))


async def breathing(entries: AsyncIterator[Entry]) -> AsyncIterator[Entry]:
    """The same entries, with a turn for the connection now and then: what has arrived is read
    without waiting, and a connection that is never served is cut by the server."""
    count = 0
    async for entry in entries:
        count += 1
        if count % BREATH == 0:
            await asyncio.sleep(0)
        yield entry


class History:
    """A heading when another session begins, and an account of each role of each protocol.

    `withdrawn` are the `sent` entries that do not hold, by writer and number.
    """

    def __init__(self, withdrawn: AbstractSet[tuple[Identity, int]]) -> None:
        self._withdrawn = withdrawn
        self._session = ""
        self._sessions: dict[str, set[str]] = {}
        self._accounts: dict[str, Accounts] = {}
        self._holds: dict[Identity, bool] = {}

    def lines(self, entry: Entry) -> list[Text]:
        told = [entry_line(entry)]
        if entry.session != self._session:
            when = moment(entry.time).strftime("%Y-%m-%d, UTC")
            heading = Text(f"session {entry.session}, {when}", style="dim")
            told = [Text(_protocol(entry), style="bold"), heading, *told]
            if self._session:
                told = [Text(), *told]
        self._session = entry.session
        return told

    def add(self, entry: Entry) -> None:
        """Take the entry into its role's account; what was withdrawn, and its facts, count not."""
        name = _protocol(entry)
        self._sessions.setdefault(name, set()).add(entry.session)
        account = self._accounts.setdefault(name, Accounts({})).setdefault(entry.role, Account())
        if entry.kind == "sent":
            holds = (entry.writer, entry.number) not in self._withdrawn
            self._holds[entry.writer] = holds
            account.sent += holds
            account.charged += entry.charge if holds else 0
        elif entry.kind == "fact" and self._holds.get(entry.writer, True):
            account.record(entry.name)

    def close(self, nothing: str) -> None:
        """Write the accounts, or that there is `nothing`."""
        if not self._accounts:
            say(nothing)
        for name, accounts in self._accounts.items():
            table = accounts.table(journal=True)
            table.title = f"{name}, {plural(len(self._sessions[name]), 'session')}"
            say()
            output().print(table)


def _nothing(query: Query) -> str:
    """Why there is no entry: there is none at all, or none that fits."""
    if query == Query():
        return "The journal is empty: no annotated message has been sent."
    asked = [f"{name} {value}" for name, value in asdict(query).items() if value]
    return f"The journal has no entry for {', '.join(asked)}."


def _protocol(entry: Entry) -> str:
    return f"{entry.namespace}.{entry.protocol}"


def entry_line(entry: Entry) -> Text:
    """One entry in words: when, who, what."""
    time = moment(entry.time).strftime("%H:%M:%S.%f")[:-3]
    return Text.assemble((f"{time} ", "dim"), (entry.writer.instance, "cyan"), *_told(entry))


def _told(entry: Entry) -> list[str | tuple[str, str]]:
    match entry.kind:
        case "sent":
            charge = (f" charged {entry.charge}", "green") if entry.charge else ""
            return [" -> ", (entry.peer, "cyan"), ": ", (entry.label, "bold"), charge]
        case "fact":
            return [" fact ", (entry.name, "green"), f" by {entry.label}"]
        case "merge":
            return [f" joined {entry.peer}'s journal up to entry {entry.count}"]
        case "unsent":
            return [(" not sent after all: ", "yellow"), f"entry {entry.count}, {entry.name}"]


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry for programs; hashes in hexadecimal."""
    return {
        "namespace": entry.namespace,
        "protocol": entry.protocol,
        "session": entry.session,
        "writer": entry.writer.instance,
        "number": entry.number,
        "time": moment(entry.time).isoformat(),
        "kind": entry.kind,
        "name": entry.name,
        "step": entry.step,
        "label": entry.label,
        "peer": entry.peer,
        "charge": entry.charge,
        "receipt": entry.receipt.hex(),
        "hash": entry.hash.hex(),
    }


def moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)


# query ------------------------------------------------------------------------------------


async def query(journal: Journal, query: Query, json: bool) -> None:
    """The facts that hold, as they come from the stream."""
    found = journal.query(
        namespace=query.namespace,
        protocol=query.protocol,
        session=query.session,
        role=query.role,
        fact=query.fact,
    )
    count = 0
    async for entry in breathing(found):
        count += 1
        if json:
            write_json_line(entry_json(entry))
        else:
            time = moment(entry.time).isoformat(timespec="milliseconds")
            place = f"{entry.namespace}.{entry.protocol} {entry.session} {entry.writer.instance}"
            say(Text.assemble((f"{time} ", "dim"), (entry.name, "green"), f" {place}"))
    if not count and not json:
        say(_nothing(query), console=complaints())


# verify -----------------------------------------------------------------------------------


async def verify(journal: Journal, query: Query, json: bool) -> None:
    """Count what is whole and name what is not; raises `RunFailed` for a fault."""
    findings = await query.findings(journal)
    if json:
        write_json(findings_json(findings))
    elif findings.ok and not findings.entries:
        say(_nothing(query))
    elif findings.ok:
        entries = "1 entry" if findings.entries == 1 else f"{findings.entries} entries"
        writers = plural(findings.writers, "writer")
        say(Text.assemble(("whole  ", "bold green"), f"{entries} of {writers}"))
    else:
        _show_faults(findings)
    if not findings.ok:
        raise RunFailed("the journal is damaged")


def findings_json(findings: Findings) -> dict[str, Any]:
    """What `journal verify --json` prints."""
    faults = [
        {
            "kind": fault.kind,
            "subject": fault.subject,
            "number": fault.number,
            "sequence": fault.sequence,
            "message": fault.message,
        }
        for fault in findings.faults
    ]
    return {
        "ok": findings.ok,
        "entries": findings.entries,
        "writers": findings.writers,
        "signers": sorted(signer.hex() for signer in findings.signers),
        "faults": faults,
    }


def _show_faults(findings: Findings) -> None:
    for fault in findings.faults:
        line = Text.assemble((f"{fault.kind:<11}", "bold red"), str(fault))
        say(line, console=complaints())
    found = plural(len(findings.faults), "fault")
    say(f"The journal is damaged: {found} in {findings.entries} entries.", console=complaints())
