from __future__ import annotations

import importlib
import random
import time
import tracemalloc
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.errors import FrameError, NotPackable
from pavane.broker.payload import Limits, pack, unpack

msgpack: Any = importlib.import_module("msgpack")  # has no types

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.binary(max_size=30)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=6)
    ),
    max_leaves=60,
)
TIGHT = Limits(elements=1 << 20, depth=1)


@given(values)
def test_a_value_is_read_as_it_was_packed(value: object) -> None:
    assert unpack(pack(value)) == value


@given(values)
def test_the_walk_counts_what_the_value_holds(value: object) -> None:
    """Limits that the value just keeps pass, and limits that are one less do not."""
    elements, depth = measured(value)
    data = pack(value)
    assert unpack(data, Limits(elements=elements, depth=depth)) == value
    if elements > 1:
        with pytest.raises(FrameError, match="elements"):
            unpack(data, Limits(elements=elements - 1, depth=depth))
    if depth > 0:
        with pytest.raises(FrameError, match="deep"):
            unpack(data, Limits(elements=elements, depth=depth - 1))


def measured(value: object) -> tuple[int, int]:
    """How many elements, and how many containers with something in them are nested."""
    inner: list[object] = []
    if isinstance(value, list):
        inner = list(cast("list[object]", value))
    elif isinstance(value, dict):
        inner = [each for item in cast("dict[object, object]", value).items() for each in item]
    if not inner:
        return 1, 0
    counted = [measured(each) for each in inner]
    return 1 + sum(n for n, _ in counted), 1 + max(d for _, d in counted)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_payload_or_a_frame_error(data: bytes) -> None:
    for limits in (Limits(), TIGHT):
        try:
            unpack(data, limits)
        except FrameError as error:
            assert error.what == "payload"


def test_twenty_thousand_mutated_payloads_raise_frame_errors_only() -> None:
    rng = random.Random(2)
    good = pack({"a": [1, 2.5, "x" * 40, b"y" * 300, {"k": [None, True]}], "b": list(range(300))})
    read = 0
    for _ in range(20_000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            unpack(bytes(data))
            read += 1
        except FrameError:
            pass
    assert 0 < read < 20_000


MIB = 1 << 20
BOMBS = {
    "a million empty maps": b"\xdd" + (MIB - 5).to_bytes(4, "big") + b"\x80" * (MIB - 5),
    "a million empty strings": b"\xdd" + (MIB - 5).to_bytes(4, "big") + b"\xa0" * (MIB - 5),
    "deep arrays": b"\x91" * (MIB - 1) + b"\xc0",
    "deep maps": b"\x81\x00" * 1000 + b"\xc0",
    "sixty-five arrays": b"\x91" * 65 + b"\xc0",
    "a promise of 4 G elements": b"\xdd\xff\xff\xff\xff" + b"\x00" * 100,
    "promises within promises": b"\xdd\x00\x01\x00\x00" * 65,
    "more than a megabyte": b"\xc6" + MIB.to_bytes(4, "big") + b"x" * MIB,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a51_a_bomb_is_refused_in_bounded_memory_and_time(name: str) -> None:
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(FrameError):
            unpack(BOMBS[name])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert time.perf_counter() - began < 2.0


def test_extensions_mean_nothing() -> None:
    for data in (b"\xd4\x05\x00", b"\xc7\x03\x01abc", b"\x91\xd6\x7f\x00\x00\x00\x00"):
        with pytest.raises(FrameError):
            unpack(data)


@pytest.mark.parametrize("value", [object(), {1j: 2}, 2**64, [timedelta, print]])
def test_what_the_wire_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(NotPackable):
        pack(value)


def test_a_value_without_end_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotPackable):
        pack(loop)


@given(scalars)
def test_what_can_nest_nothing_is_the_same_on_the_shortest_way(value: object) -> None:
    data = pack(value)
    assert data == msgpack.packb(value)
    read = unpack(data)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("first", range(256))
def test_every_first_byte_is_read_as_msgpack_reads_it(first: int) -> None:
    for rest in (b"", b"\x00" * 9, b"\xff" * 40, b"a" * 300):
        for length in (1, 2, 5, 9, 301):
            data = (bytes([first]) + rest)[:length]
            try:
                expected = repr(msgpack.unpackb(data, strict_map_key=False, max_ext_len=0))
            except Exception:  # noqa: BLE001  # it has many kinds
                with pytest.raises(FrameError):
                    unpack(data)
            else:
                assert repr(unpack(data)) == expected
