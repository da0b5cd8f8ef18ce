"""Snapshots: the state that a reducer had come to, so that the next rebuild begins there.

A snapshot says how far each chain had come, and is signed. It is kept in a stream of its own, in
records of at most `PART` bytes: the msgpack array `[version, id, first, part, parts, bytes]`,
where `first` is the sequence of the first of them, 0 in that one itself.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from ....broker.contract import Broker
from ....broker.errors import Forbidden, StreamRefused
from ...keys import Signer, digest, is_signed
from ..places import SNAPSHOT_SUBJECTS, SNAPSHOTS
from .records import Records, breathing

VERSION = 1
PART = 512 * 1024

OLDER = 2
"""How many snapshots before the last are looked at when that is of no use."""

Chains = list[tuple[str, int, bytes]]


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The state of a reducer over the journals on `pattern`, up to the record at `position`.

    `tip` is the hash of the last entry there, `entries` how many were reduced, `time` when in
    ns since 1970; `chains` are subject, count and hash of each. `head_position` is as far as
    their heads were read.
    """

    version: int
    reducer: str
    reducer_version: int
    pattern: str
    position: int
    head_position: int
    tip: bytes
    time: int
    entries: int
    chains: Chains
    state: bytes


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    body: bytes
    signer: bytes
    signature: bytes


_Part = tuple[int, bytes, int, int, int, bytes]
_parts: msgspec.msgpack.Decoder[_Part] = msgspec.msgpack.Decoder(_Part)
_signed = msgspec.msgpack.Decoder(_Signed)
_snapshots = msgspec.msgpack.Decoder(Snapshot)


def subject_of(reducer: str, pattern: str) -> str:
    """Names of reducers and patterns are no subject tokens; their hash is one."""
    key = digest(msgspec.msgpack.encode((reducer, pattern)))
    return f"journal_snapshots.{key[:16].hex()}"


async def store(broker: Broker, signer: Signer, snapshot: Snapshot) -> int:
    """Append the snapshot; its position in the stream of snapshots."""
    await broker.ensure_stream(SNAPSHOTS, SNAPSHOT_SUBJECTS)
    body = msgspec.msgpack.encode(snapshot)
    whole = msgspec.msgpack.encode(_Signed(body, signer.public, signer.sign(_named(body))))
    size = min(PART, broker.max_payload // 2)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    subject, key = subject_of(snapshot.reducer, snapshot.pattern), secrets.token_bytes(8)
    first = sequence = 0
    for number, piece in enumerate(pieces):
        record = msgspec.msgpack.encode((VERSION, key, first, number, len(pieces), piece))
        sequence = await broker.append(SNAPSHOTS, subject, record)
        first = first or sequence
    return sequence


async def newest(records: Records, subject: str) -> AsyncIterator[bytes]:
    """What was stored on `subject`, the last first; pieces that do not fit are left out."""
    try:
        last = await records.last(SNAPSHOTS, subject)
    except (StreamRefused, Forbidden):
        # The stream is made with the first snapshot, and not everybody may read it.
        return
    if last is None:
        return
    start = _first_of(last.payload) or last.sequence
    quick = await _assembled(records, subject, start, 1)
    for whole in quick:
        yield whole
    found = await _assembled(records, subject, 1, OLDER + len(quick))
    for whole in reversed(found[: len(found) - len(quick)]):
        yield whole


def opened(whole: bytes) -> tuple[Snapshot, bytes]:
    """A snapshot, and the key that signed it; raises `ValueError` if that does not fit."""
    signed = _signed.decode(whole)
    if not is_signed(signed.signer, _named(signed.body), signed.signature):
        raise ValueError("its signature does not fit")
    snapshot = _snapshots.decode(signed.body)
    if snapshot.version != VERSION:
        raise ValueError("it is not of this version")
    return snapshot, signed.signer


def _named(body: bytes) -> bytes:
    """No signature of a head or a receipt may pass for one of a snapshot."""
    return b"pavane snapshot\0" + digest(body)


def _first_of(data: bytes) -> int:
    try:
        return _parts.decode(data)[2]
    except ValueError:
        return 0


async def _assembled(records: Records, subject: str, start: int, most: int) -> list[bytes]:
    """The last snapshots whose parts are all there, oldest first, at most so many."""
    found: deque[bytes] = deque(maxlen=most)
    pieces: list[bytes] = []
    current = b""
    async for record in breathing(records.read(SNAPSHOTS, subject, start=start)):
        try:
            _, key, _, number, parts, piece = _parts.decode(record.payload)
        except ValueError:
            found.append(b"")
            continue
        if number == 0:
            pieces, current = [], key
        if key == current and number == len(pieces):
            pieces.append(piece)
            if len(pieces) == parts:
                found.append(b"".join(pieces))
    return list(found)
