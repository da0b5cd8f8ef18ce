"""Records put aside while they are verified, so that what is replayed is what was verified, and
is read from the broker once. About `IN_MEMORY` bytes are held, more goes to a file without a name."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Self

from ....broker.contract import Record

IN_MEMORY = 4 << 20

OVERHEAD = 100
"""Bytes that a record takes in memory besides its payload, about."""

_HEADER = struct.Struct("<II")


class Spool:
    """A context manager; the file goes with its block."""

    def __init__(self) -> None:
        self._held: list[tuple[str, bytes]] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._subjects: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def clear(self) -> None:
        self._held.clear()
        self._size = 0
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def add(self, record: Record) -> None:
        payload = record.payload
        self._held.append((record.subject, payload))
        self._size += len(payload) + OVERHEAD
        if self._size > IN_MEMORY:
            self._put_aside()

    def _put_aside(self) -> None:
        file = self._file = self._file or TemporaryFile()  # noqa: SIM115 (closed with the spool)
        number = self._subjects
        for subject, payload in self._held:
            file.write(_HEADER.pack(number.setdefault(subject, len(number)), len(payload)))
            file.write(payload)
        self._held.clear()
        self._size = 0

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Subject and payload of each, in order; nothing may be added any more."""
        if self._file is not None:
            yield from self._filed(self._file)
        yield from self._held

    def _filed(self, file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
        subjects = list(self._subjects)
        file.seek(0)
        while header := file.read(_HEADER.size):
            subject, size = _HEADER.unpack(header)
            yield subjects[subject], file.read(size)
