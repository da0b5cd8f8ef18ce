"""Entries of the journal, and how a record holds them.

A record of the stream is the msgpack array `[version, plain, previous, entries]`: the
entries that one writer added in one turn of the event loop, the hash of its entry before
them, and whether the writer is a plain role and no instance of a family. Who wrote it stands
in the subject. An entry's hash covers the hash before it and all its fields, and a writer's
first entry is chained to the hash of its subject, so that no entry can be altered,
left out, moved, or carried over from another journal without breaking the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Literal, Protocol

import msgspec

from ..identity import Identity
from ..keys import digest

VERSION = 1
Kind = Literal["sent", "fact", "merge", "unsent", "resumed", "series"]

Fields = tuple[int, int, Kind, str, int, str, str, int, bytes, bytes, int]
"""Number, time, kind, name, step, label, peer, charge, receipt, proof and count."""

SERIES_LIMIT = 1 << 16
"""The most messages that one `series` stands for."""


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An entry before it has its place in the chain.

    * `sent`: a message left; `proof` is its receipt, packed, if it was charged.
    * `fact`: `name` is the fact; it belongs to the `sent` entry before it.
    * `merge`: the journal of `peer` up to `count` with the hash `proof` is joined to this one.
    * `unsent`: the `sent` entry with the number `count`, and its facts, do not hold: the
      message could not be published; `name` says why.
    * `resumed`: from here on another worker, `name`, plays the instance; what one before it
      would still add is refused.
    * `series`: `count` like messages left, one right after the other, each with the facts in `name`, a
      line each. `charge` is that of each, `proof` the receipt of all. It takes as many numbers as
      the `sent` entries and facts would that it stands for, see `series.expanded`.
    """

    kind: Kind
    name: str
    step: int
    label: str
    peer: str
    charge: int = 0
    receipt: bytes = b""
    proof: bytes = b""
    count: int = 0


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry in the journal of the instance `writer`.

    `number` counts the writer's entries from 1. `time` is the writer's clock in ns since
    1970. `receipt` is the hash of the receipt of the message it belongs to, empty where
    nothing was charged. For the other fields see `Draft`.
    """

    writer: Identity
    number: int
    time: int
    kind: Kind
    name: str
    step: int
    label: str
    peer: str
    charge: int
    receipt: bytes
    proof: bytes
    count: int
    previous: bytes
    hash: bytes

    @property
    def namespace(self) -> str:
        return self.writer.namespace

    @property
    def protocol(self) -> str:
        return self.writer.protocol

    @property
    def session(self) -> str:
        return self.writer.session

    @property
    def role(self) -> str:
        return self.writer.role

    @property
    def index(self) -> int:
        return self.writer.index or 0

    @property
    def last(self) -> int:
        """The number of the last entry that it stands for: its own, but for a `series`."""
        return last_number(self.number, self.kind, self.name, self.count)

    @property
    def is_genuine(self) -> bool:
        """Whether the hash is that of what stands here; where it belongs the chain says."""
        return entry_hash(self.writer, self.previous, self.fields()) == self.hash

    def fields(self) -> Fields:
        """What is stored besides the hash, in order."""
        return (
            self.number, self.time, self.kind, self.name, self.step, self.label, self.peer,
            self.charge, self.receipt, self.proof, self.count,
        )  # fmt: skip


def last_number(number: int, kind: Kind, name: str, count: int) -> int:
    """Of what an entry stands for."""
    if kind != "series":
        return number
    facts = name.count("\n") + 1 if name else 0
    return number + count * (1 + facts) - 1


def entry_hash(writer: Identity, previous: bytes, fields: Fields) -> bytes:
    return digest(previous + _encoder.encode((writer.index is None, fields)))


def first_hash(subject: str) -> bytes:
    """What the first entry on `subject` is chained to."""
    return digest(b"journal\0" + subject.encode())


def chained(writer: Identity, draft: Draft, number: int, time: int, previous: bytes) -> Entry:
    """`draft` at its place in the chain."""
    fields: Fields = (
        *(number, time, draft.kind, draft.name, draft.step, draft.label),
        *(draft.peer, draft.charge, draft.receipt, draft.proof, draft.count),
    )
    return Entry(writer, *fields, previous, entry_hash(writer, previous, fields))


def pack(entries: Iterable[Entry]) -> bytes:
    """The record of consecutive entries; at least one."""
    rows = tuple(entries)
    plain = rows[0].writer.index is None
    stored = [(entry.fields(), entry.hash) for entry in rows]
    return _encoder.encode((VERSION, plain, rows[0].previous, stored))


def unpack(writer: Identity, data: bytes) -> tuple[Entry, ...]:
    """The entries of a record, as stored: a `series` is one, and hashes are not checked here.

    `writer` is as its subject says, a plain role as instance 0. Raises `ValueError` whatever the
    bytes are.
    """
    version, plain, previous, rows = _decoder.decode(data)
    if version != VERSION or not rows:
        raise ValueError("not a journal record of this version")
    if plain:
        writer = _plain(writer)
    entries: list[Entry] = []
    for fields, last in rows:
        if fields[2] == "series":
            _check_series(fields)
        entries.append(Entry(writer, *fields, previous, last))
        previous = last
    return tuple(entries)


def _check_series(fields: Fields) -> None:
    if not 0 < fields[10] <= SERIES_LIMIT:
        raise ValueError("a series of no length, or too long")


@lru_cache(maxsize=4096)
def _plain(writer: Identity) -> Identity:
    return replace(writer, index=None)


class Link(Protocol):
    """What the place of an entry in its chain depends on."""

    @property
    def number(self) -> int: ...
    @property
    def last(self) -> int:
        """The number of the last entry that it stands for."""
        ...

    @property
    def previous(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...
    @property
    def is_genuine(self) -> bool:
        """Whether the hash is that of what stands there; where it belongs the chain says."""
        ...


class Seen(msgspec.Struct, frozen=True, gc=False):
    """As much of an entry as is needed to verify it: three times faster to read than all."""

    number: int
    last: int
    kind: Kind
    count: int
    previous: bytes
    hash: bytes
    is_genuine: bool


def seen(data: bytes) -> list[Seen]:
    """The entries of a record, their hashes checked against the bytes that are stored. Raises
    as `unpack`."""
    try:
        version, plain, previous, rows = _raw_decoder.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply for a journal record") from None
    if version != VERSION or not rows:
        raise ValueError("not a journal record of this version")
    # The beginning of what `entry_hash` encodes: an array of two, and true or false.
    start = b"\x92\xc3" if plain else b"\x92\xc2"
    found: list[Seen] = []
    for raw, last in rows:
        fields = _fields.decode(raw)
        end = fields[0]
        if fields[2] == "series":
            _check_series(fields)
            end = last_number(fields[0], fields[2], fields[3], fields[10])
        genuine = digest(b"".join((previous, start, raw))) == last
        found.append(Seen(fields[0], end, fields[2], fields[10], previous, last, genuine))
        previous = last
    return found


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, bool, bytes, list[tuple[Fields, bytes]]])
_raw_decoder = msgspec.msgpack.Decoder(tuple[int, bool, bytes, list[tuple[msgspec.Raw, bytes]]])
_fields: msgspec.msgpack.Decoder[Fields] = msgspec.msgpack.Decoder(Fields)
