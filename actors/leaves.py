"""The shortest way between a role and the bytes for a payload that is one plain value.

Most payloads nest nothing: where the declared type can tell at a glance that a value is right, it is
packed and read in one step, which checks as much as the long way: what it does not take, that takes
or refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..broker.frame import REFUSALS
from ..broker.payload import LEAVES, leaf_reader, pack, pack_leaf, unpack
from ..language.payload import Shape

Encode = Callable[[tuple[Any, ...], dict[str, Any]], bytes]
Decode = Callable[[bytes], Any]


def encoding(shape: Shape) -> Encode:
    """From what the user sends to the bytes; raises `PayloadError` and `NotPackable`."""
    exact = shape.exact & LEAVES
    check = shape.pack

    def encode(values: tuple[Any, ...], fields: dict[str, Any]) -> bytes:
        if len(values) == 1 and type(values[0]) in exact and not fields:
            try:
                return pack_leaf(values[0])
            except REFUSALS:
                pass  # `pack` says why.
        return pack(check(values, fields))

    return encode


def decoding(shape: Shape) -> Decode:
    """From the bytes to what the user receives; raises `PayloadError` and `FrameError`."""
    check = shape.unpack
    return leaf_reader(shape.exact, lambda data: check(unpack(data)))
