"""The payload of one message: plain values in msgpack, read under limits.

msgpack bounds the nesting only at a thousand levels, and 1 MiB of empty maps becomes 70 MiB of
dicts. So whatever could break a limit is measured first, on the bytes. Most payloads
are too small to break one, which a count of the bytes that could open a container shows at the
speed of C; only the others are walked, one step for each element, until a limit is passed.
A text, a number or the like can nest nothing, and goes the shortest way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Union

import msgpack
import msgspec

from .errors import FrameError, NotPackable
from .frame import REFUSALS


@dataclass(frozen=True, slots=True)
class Limits:
    """`size` in bytes; `elements`, keys counted too; `depth` of nesting."""

    size: int = 1 << 20
    elements: int = 100_000
    depth: int = 64


DEFAULT_LIMITS: Final = Limits()


_packer = msgpack.Packer(autoreset=True)


def pack(value: object) -> bytes:
    """Plain builtins as msgpack; raises `NotPackable` for anything else."""
    try:
        if type(value) in LEAVES:
            return pack_leaf(value)
        packed: bytes = _packer.pack(value)
        return packed
    except REFUSALS as error:
        _packer.reset()
        raise NotPackable(str(error)[:200]) from None


def unpack(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """The value that `data` holds; raises `FrameError`, and nothing else, if it holds none."""
    size = len(data)
    if size > limits.size:
        raise FrameError("payload", f"{size} bytes are more than {limits.size}")
    if data and _IS_LEAF[data[0]]:
        try:
            return _leaf_decoder.decode(data)
        except REFUSALS as error:
            raise FrameError("payload", str(error)[:200]) from None
    if size > limits.elements or size - len(data.translate(None, _OPENERS)) > limits.depth:
        _walk(data, limits)
    try:
        return msgpack.unpackb(data, strict_map_key=False, max_ext_len=0)
    except REFUSALS as error:
        raise FrameError("payload", str(error)[:200]) from None


# --- what can nest nothing ---------------------------------------------------------------

LEAVES: Final[frozenset[type]] = frozenset({str, bytes, int, float, bool, type(None)})
pack_leaf: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
"""Raises one of `REFUSALS` for a text that is none, and for a number too large."""

_leaf_decoder = msgspec.msgpack.Decoder()
_UNLIKE = frozenset({str, bool, type(None)}), frozenset({bytes, bool, type(None)})
"""Types of which none is read as another."""


def leaf_reader(
    kinds: Collection[type], otherwise: Callable[[bytes], Any]
) -> Callable[[bytes], Any]:
    """What reads a payload that is most likely of one of `kinds`, and takes what is not so, or may be
    out of bounds, to `otherwise`."""
    if not kinds or not any(unlike.issuperset(kinds) for unlike in _UNLIKE):
        return otherwise
    union: Any = Union[tuple(kinds)]  # noqa: UP007 (of what is known only now)
    decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(union)
    decode = decoder.decode
    largest = DEFAULT_LIMITS.size

    def read(data: bytes) -> Any:
        if len(data) <= largest:
            try:
                return decode(data)
            except REFUSALS:
                pass  # Said, with its reason, by the other.
        return otherwise(data)

    return read


# --- the walk ----------------------------------------------------------------------------

_OPENERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NUMBERS = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}
_NUMBERS_BELOW_0 = {0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
_SHORT_TEXTS = {0xA0 + size: 1 + size for size in range(32)}
_SCALARS = {0xC0: 1, 0xC2: 1, 0xC3: 1} | _NUMBERS | _NUMBERS_BELOW_0 | _SHORT_TEXTS
_WIDTHS = tuple(1 if byte < 0x80 or byte >= 0xE0 else _SCALARS.get(byte, 0) for byte in range(256))
"""The whole width of an element by its first byte, 0 where more must be read."""
_IS_LEAF = tuple(
    not (
        0x80 <= byte < 0xA0
        or byte in (0xC1, *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0))
    )
    for byte in range(256)
)
"""Whether a payload with this first byte is no array, no map and no extension."""
_TEXTS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _walk(data: bytes, limits: Limits) -> None:
    """Raise `FrameError` if `data` has too many elements or nests too deeply. What else is
    wrong with it is left to the decoder, and so is an extension, which ends the walk."""
    at, elements = 0, 1
    awaited, outer = 1, list[int]()
    end = len(data)
    while at < end:
        while not awaited:
            if not outer:
                return
            awaited = outer.pop()
        awaited -= 1
        width = _WIDTHS[data[at]]
        if width:
            at += width
            continue
        at, children = _open(data, at)
        if not children:
            continue
        outer.append(awaited)
        awaited = children
        elements += children
        if elements > limits.elements:
            raise FrameError("payload", f"more than {limits.elements} elements")
        if len(outer) > limits.depth:
            raise FrameError("payload", f"nested more than {limits.depth} deep")


def _open(data: bytes, at: int) -> tuple[int, int]:
    """Where the element at `at` goes on, and how many elements stand in it."""
    byte = data[at]
    if byte < 0x90:
        return at + 1, 2 * (byte & 0x0F)
    if byte < 0xA0:
        return at + 1, byte & 0x0F
    if byte in _TEXTS:
        start = at + 1 + _TEXTS[byte]
        return start + int.from_bytes(data[at + 1 : start], "big"), 0
    if byte in _CONTAINERS:
        width, each = _CONTAINERS[byte]
        start = at + 1 + width
        return start, each * int.from_bytes(data[at + 1 : start], "big")
    return len(data), 0
