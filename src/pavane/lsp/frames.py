"""JSON-RPC bodies out of a byte stream, each behind its `Content-Length`, within bounds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

LENGTH = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*", re.IGNORECASE)
LINE_LIMIT = 8192
BODY_LIMIT = 64 * 1024 * 1024
"""Bytes; a text of the largest length that the language reads fits in, however it is escaped."""
CHUNK = 1 << 16


class BrokenFrame(Exception):
    """Where the next message begins cannot be known any more."""


class Frames:
    """Reads a file descriptor, which must not be read by anyone else. Blocks while it waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        """The bodies up to the end of the stream; one cut short by it is left out.

        Raises `BrokenFrame`. Lines that are no headers are passed over.
        """
        length: int | None = None
        while (line := self._line()) is not None:
            found = LENGTH.fullmatch(line)
            if found:
                length = int(found[1])
                if length > BODY_LIMIT:
                    raise BrokenFrame(f"a message of {length} bytes; at most {BODY_LIMIT} are read")
            elif not line and length is not None:
                body = self._exactly(length)
                if body is None:
                    return
                yield body
                length = None

    def _line(self) -> bytes | None:
        """Without its end; None at the end of the stream."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > LINE_LIMIT:
                raise BrokenFrame(f"a header of more than {LINE_LIMIT} bytes")
            if not self._more():
                return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line.removesuffix(b"\r")

    def _exactly(self, length: int) -> bytes | None:
        while len(self._held) < length:
            if not self._more():
                return None
        body = bytes(self._held[:length])
        del self._held[:length]
        return body

    def _more(self) -> bool:
        chunk = os.read(self._descriptor, CHUNK)
        self._held += chunk
        return bool(chunk)
