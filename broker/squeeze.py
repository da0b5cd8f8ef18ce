"""Compressed payloads, of the messages whose protocol asks for it: one byte that says how the
rest is packed, and the rest.

Both sides know from the protocol that a message has this form. What is small, or does not get
smaller, stays as it is. Reading trusts nobody: no more than the limit is ever decompressed.
"""

from __future__ import annotations

import zlib

from .errors import FrameError, PayloadTooLarge
from .payload import DEFAULT_LIMITS, Limits, pack, unpack

THRESHOLD = 512
"""Bytes below which compressing is not tried."""

LEVEL = 3
"""Of zlib: fast, and nearly as small as the slower ones on JSON-like payloads."""

PLAIN, ZLIB = b"\0", b"\1"


def squeeze(value: object, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Plain builtins, packed and compressed. Raises `NotPackable`, and `PayloadTooLarge` for what
    a receiver would not decompress."""
    packed = pack(value)
    if len(packed) > limits.size:
        raise PayloadTooLarge(len(packed), limits.size)
    if len(packed) >= THRESHOLD:
        small = zlib.compress(packed, LEVEL)
        if len(small) < len(packed):
            return ZLIB + small
    return PLAIN + packed


def unsqueeze(data: bytes, limits: Limits = DEFAULT_LIMITS) -> object:
    """The value that `squeeze` packed; raises `FrameError`, and nothing else, for other bytes."""
    method, rest = data[:1], data[1:]
    if method == PLAIN:
        return unpack(rest, limits)
    if method != ZLIB:
        raise FrameError("payload", "neither plain nor compressed in a known way")
    return unpack(_inflated(rest, limits.size), limits)


def _inflated(data: bytes, most: int) -> bytes:
    inflating = zlib.decompressobj()
    try:
        plain = inflating.decompress(data, most + 1)
    except zlib.error as error:
        raise FrameError("payload", f"not compressed with zlib: {error}") from None
    if len(plain) > most:
        raise FrameError("payload", f"more than {most} bytes when it is decompressed")
    if not inflating.eof or inflating.unused_data:
        raise FrameError("payload", "compressed bytes that do not end where they should")
    return plain
