"""A journal in a file of JSON lines, which reads like the streams it was written from.

The first line says what the file is, then come the heads, one for each writer, then the entries
in the order in which they were stored. Hashes, proofs and signatures are in hexadecimal; entries are
written as they were hashed, so that the file is verified like the streams are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import msgspec

from ....broker.contract import Record
from ....broker.errors import BrokerError
from ....broker.subjects import matches
from ...identity import Identity
from .. import entry as entries
from ..entry import Entry, Kind
from ..head import Head
from ..places import HEADS, JOURNAL, head_subject, journal_subject, writer_of
from .errors import ArchiveRefused
from .records import Records, breathing
from .walking import furthest

FORMAT: Final = "pavane journal"
VERSION: Final = 1

LINE = 4 << 20
"""The longest line that is read, in bytes."""

_NO_EXPORT = "it is no export of a journal"


class _Title(msgspec.Struct, frozen=True):
    format: Literal["pavane journal"]
    version: Literal[1]
    heads: int


class _HeadLine(msgspec.Struct, frozen=True, tag="head", tag_field="kind"):
    subject: str
    count: int
    hash: str
    unsent: tuple[int, ...]
    closed: bool
    signer: str
    signature: str


class _EntryLine(msgspec.Struct, frozen=True):
    """`time` is for people, `time_ns` is what was hashed. A plain role has no index."""

    kind: Kind
    namespace: str
    protocol: str
    session: str
    role: str
    index: int | None
    number: int
    time: str
    time_ns: int
    name: str
    step: int
    label: str
    peer: str
    charge: int
    receipt: str
    proof: str
    count: int
    previous: str
    hash: str


_encode = msgspec.json.Encoder().encode
_titles = msgspec.json.Decoder(_Title)
_heads = msgspec.json.Decoder(_HeadLine)
_entries = msgspec.json.Decoder(_EntryLine)


# writing ----------------------------------------------------------------------------------


async def write(file: BinaryIO, records: Records, pattern: str) -> int:
    """How many entries were written. Heads are held, one for each writer, entries are not."""
    last = await furthest(records, pattern)
    file.write(_encode(_Title(FORMAT, VERSION, len(last))) + b"\n")
    file.writelines(_encode(_head_line(head)) + b"\n" for head in last.values())
    count = 0
    async for record in breathing(records.read(JOURNAL, pattern)):
        for entry in entries.unpack(writer_of(record.subject), record.payload):
            file.write(_encode(_entry_line(entry)) + b"\n")
            count += entry.last - entry.number + 1
    return count


def row(entry: Entry) -> dict[str, Any]:
    """One entry as a table has it."""
    return msgspec.structs.asdict(_entry_line(entry))


COLUMNS: tuple[tuple[str, type], ...] = tuple(
    (field.name, int if field.type in (int, int | None) else str)
    for field in msgspec.structs.fields(_EntryLine)
)


def _entry_line(entry: Entry) -> _EntryLine:
    writer = entry.writer
    when = datetime.fromtimestamp(entry.time // 10**9, UTC).replace(
        microsecond=entry.time % 10**9 // 1000
    )
    return _EntryLine(
        entry.kind, writer.namespace, writer.protocol, writer.session, writer.role, writer.index,
        entry.number, when.isoformat(timespec="microseconds"), entry.time, entry.name,
        entry.step, entry.label, entry.peer, entry.charge, entry.receipt.hex(), entry.proof.hex(),
        entry.count, entry.previous.hex(), entry.hash.hex(),
    )  # fmt: skip


def _head_line(head: Head) -> _HeadLine:
    return _HeadLine(
        head.subject, head.count, head.hash.hex(), head.unsent, head.closed,
        head.signer.hex(), head.signature.hex(),
    )  # fmt: skip


# reading ----------------------------------------------------------------------------------


class Archive:
    """An export, read like the streams of a broker; a record is a line, and its sequence the
    line's number. It does not grow, so following it ends. Holds the heads."""

    def __init__(self, path: Path) -> None:
        """Raises `ArchiveRefused` for a file that does not begin like an export."""
        self.path = path
        self._heads: dict[str, Record] = {}
        self._first = 0
        for number, line in self._lines(1):
            if number == 1:
                self._first = 2 + self._title(line).heads
            elif number < self._first:
                self._keep(number, line)
            else:
                return
        if not self._first:
            raise ArchiveRefused(str(path), 1, _NO_EXPORT)
        if self._first > 2 + len(self._heads):
            raise ArchiveRefused(str(path), self._first - 1, "the file ends before this line")

    async def read(
        self, stream: str, subject: str = ">", *, start: int = 1, follow: bool = False
    ) -> AsyncIterator[Record]:
        """Raises `ArchiveRefused` with the number of a line that is no entry."""
        if stream == HEADS:
            for record in self._heads.values():
                if record.sequence >= start and matches(subject, record.subject):
                    yield record
        elif stream == JOURNAL:
            for number, line in self._lines(max(start, self._first)):
                record = self._record(number, line)
                if matches(subject, record.subject):
                    yield record

    async def last(self, stream: str, subject: str) -> Record | None:
        if stream == HEADS:
            return self._heads.get(subject)
        found = None
        async for record in self.read(stream, subject):
            found = record
        return found

    def _lines(self, start: int) -> Iterator[tuple[int, bytes]]:
        try:
            with open(self.path, "rb") as file:
                number = 0
                while line := file.readline(LINE):
                    number += 1
                    if number >= start:
                        yield number, line
        except OSError as error:
            raise ArchiveRefused(str(self.path), 0, error.strerror or str(error)) from None

    def _title(self, line: bytes) -> _Title:
        try:
            return _titles.decode(line)
        except (msgspec.DecodeError, RecursionError):
            raise ArchiveRefused(str(self.path), 1, _NO_EXPORT) from None

    def _keep(self, number: int, line: bytes) -> None:
        try:
            read = _heads.decode(line)
            head = Head(
                read.subject, read.count, bytes.fromhex(read.hash), read.unsent,
                bytes.fromhex(read.signer), bytes.fromhex(read.signature), read.closed,
            )  # fmt: skip
            subject = head_subject(writer_of(read.subject))
            packed = head.pack()
        except (ValueError, OverflowError, RecursionError):
            raise ArchiveRefused(str(self.path), number, "it is no head of a journal") from None
        self._heads[subject] = Record(subject, number, packed, 0)

    def _record(self, number: int, line: bytes) -> Record:
        """The line as the record that it came from, or as a part of one."""
        try:
            entry = _entry(_entries.decode(line))
            payload = entries.pack([entry])
            return Record(journal_subject(entry.writer), number, payload, entry.time)
        except (ValueError, OverflowError, RecursionError, BrokerError):
            raise ArchiveRefused(str(self.path), number, "it is no entry of a journal") from None


def _entry(line: _EntryLine) -> Entry:
    writer = Identity(line.namespace, line.protocol, line.session, line.role, line.index)
    return Entry(
        *(writer, line.number, line.time_ns, line.kind, line.name, line.step, line.label),
        *(line.peer, line.charge, bytes.fromhex(line.receipt), bytes.fromhex(line.proof)),
        *(line.count, bytes.fromhex(line.previous), bytes.fromhex(line.hash)),
    )
