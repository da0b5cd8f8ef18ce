"""Records put aside while they are verified, so that what is replayed is what was verified, and
is read from the broker once. Up to `IN_MEMORY` bytes are held, more goes to a file without a name."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Self

from ...broker.contract import Record

IN_MEMORY = 4 << 20

_HEADER = struct.Struct("<II")


class Spool:
    """A context manager; the file goes with its block."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile[bytes](max_size=IN_MEMORY)
        self._subjects: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def add(self, record: Record) -> None:
        subject = self._subjects.setdefault(record.subject, len(self._subjects))
        self._file.write(_HEADER.pack(subject, len(record.payload)) + record.payload)

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Subject and payload of each, in order; nothing may be added any more."""
        subjects = list(self._subjects)
        read = self._file.read
        self._file.seek(0)
        while header := read(_HEADER.size):
            subject, size = _HEADER.unpack(header)
            yield subjects[subject], read(size)
