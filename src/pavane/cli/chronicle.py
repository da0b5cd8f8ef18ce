"""Entries told one a line: `pavane journal replay`, `query` and `tail`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from ..effects.journal.entry import Entry
from ..effects.journal.places import journal_subject
from .attest import refuse_damage, say_unsigned
from .escapes import printable
from .journals import Book, Query, nothing
from .live import Account, Accounts
from .screen import complaints, output, plural, say, write_json_line

INDENT = 13 * " "
"""Below a time."""

DIGITS = 16
"""Of a hash, for people."""

# replay -----------------------------------------------------------------------------------


async def replay(book: Book, query: Query, json: bool) -> None:
    """Every entry in the order in which it was stored, then each role's account.

    Verified first, since what is replayed from a damaged journal is worse than nothing.
    Nothing is held but the accounts and the numbers of messages that were taken back.
    """
    survey = await book.survey(query)
    refuse_damage(survey.findings)
    history = History(survey.withdrawn)
    async for entry in book.history.entries(**query.filter()):
        if json:
            write_json_line(entry_json(entry), live=False)
        else:
            for line in history.lines(entry):
                say(line)
        history.add(entry)
    if not json:
        history.close(nothing(query))
        say_unsigned(survey.findings)


class History:
    """A heading when another session begins, and an account of each role of each protocol.

    `withdrawn` are the `sent` entries that do not hold, by subject and number.
    """

    def __init__(self, withdrawn: Mapping[str, Collection[int]]) -> None:
        self._withdrawn = withdrawn
        self._session = ""
        self._sessions: dict[str, set[str]] = {}
        self._accounts: dict[str, Accounts] = {}
        self._holds: dict[str, bool] = {}

    def lines(self, entry: Entry) -> list[Text]:
        told = [entry_line(entry)]
        if entry.kind == "sent" and entry.receipt:
            told.append(Text(f"{INDENT}receipt {entry.receipt.hex()[:DIGITS]}", style="dim"))
        if entry.session != self._session:
            when = moment(entry.time).strftime("%Y-%m-%d, UTC")
            heading = Text(f"session {printable(entry.session)}, {when}", style="dim")
            told = [Text(_protocol(entry), style="bold"), heading, *told]
            if self._session:
                told = [Text(), *told]
        self._session = entry.session
        return told

    def add(self, entry: Entry) -> None:
        """Take the entry into its role's account; what was withdrawn, and its facts, count not."""
        name = _protocol(entry)
        subject = journal_subject(entry.writer)
        self._sessions.setdefault(name, set()).add(entry.session)
        account = self._accounts.setdefault(name, Accounts({})).setdefault(entry.role, Account())
        if entry.kind == "sent":
            holds = entry.number not in self._withdrawn.get(subject, ())
            self._holds[subject] = holds
            account.sent += holds
            account.charged += entry.charge if holds else 0
        elif entry.kind == "fact" and self._holds.get(subject, True):
            account.record(entry.name)

    def close(self, nothing: str) -> None:
        """Write the accounts, or that there is `nothing`."""
        if not self._accounts:
            say(nothing)
        for name, accounts in self._accounts.items():
            table = accounts.table(journal=True)
            told = f"{name}, {plural(len(self._sessions[name]), 'session')}"
            table.title = Text(told, style="bold")
            say()
            output().print(table)


def _protocol(entry: Entry) -> str:
    return printable(f"{entry.namespace}.{entry.protocol}")


def entry_line(entry: Entry) -> Text:
    """One entry in words: when, who, what."""
    time = moment(entry.time).strftime("%H:%M:%S.%f")[:-3]
    who = printable(entry.writer.instance)
    return Text.assemble((f"{time} ", "dim"), (who, "cyan"), *_told(entry))


def _told(entry: Entry) -> list[str | tuple[str, str]]:
    name, label, peer = map(printable, (entry.name, entry.label, entry.peer))
    match entry.kind:
        case "sent":
            charge = (f" charged {entry.charge}", "green") if entry.charge else ""
            return [" -> ", (peer, "cyan"), ": ", (label, "bold"), charge]
        case "fact":
            return [" fact ", (name, "green"), f" by {label}"]
        case "merge":
            return [f" joined {peer}'s journal up to entry {entry.count}"]
        case "unsent":
            return [(" not sent after all: ", "yellow"), f"entry {entry.count}, {name}"]
        case "resumed":
            return [f" is played on by {name}"]
        case "series":
            raise AssertionError("a reader gets what a series stands for")


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
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return whole.replace(microsecond=nanoseconds % 10**9 // 1000)


# query ------------------------------------------------------------------------------------


async def query(book: Book, query: Query, json: bool) -> None:
    """The facts that hold, as they come from the stream, each checked against the one before."""
    count = 0
    async for entry in book.history.query(trusted=book.trust.keys(), **query.filter()):
        count += 1
        if json:
            write_json_line(entry_json(entry), live=False)
        else:
            say(fact_line(entry))
    if not count and not json:
        say(nothing(query), console=complaints())


def fact_line(entry: Entry) -> Text:
    time = moment(entry.time).isoformat(timespec="milliseconds")
    place = printable(f"{_protocol(entry)} {entry.session} {entry.writer.instance}")
    return Text.assemble((f"{time} ", "dim"), (printable(entry.name), "green"), f" {place}")


# tail -------------------------------------------------------------------------------------


async def tail(book: Book, query: Query, last: int, json: bool) -> None:
    """Entries as they are added, with those before them that were asked for. Never returns."""
    history = History({})
    async for entry in book.history.tail(last, **query.filter()):
        if json:
            write_json_line(entry_json(entry))
        else:
            for line in history.lines(entry):
                say(line)
            output().file.flush()
