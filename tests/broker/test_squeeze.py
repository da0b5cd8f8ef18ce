"""Compressed payloads: what comes back, and what bytes from a stranger get."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.errors import FrameError, PayloadTooLarge
from pavane.broker.payload import Limits, pack
from pavane.broker.squeeze import PLAIN, THRESHOLD, ZLIB, squeeze, unsqueeze

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary(max_size=2000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@given(values)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert unsqueeze(squeeze(value)) == value


def test_what_is_large_gets_smaller_and_what_would_not_stays_as_it_is() -> None:
    assert squeeze("x" * 10_000)[:1] == ZLIB
    assert len(squeeze("x" * 10_000)) < 100
    assert squeeze("x" * (THRESHOLD // 2))[:1] == PLAIN
    noise = bytes((n * n * 167 + n * 13) % 251 for n in range(600))
    assert len(squeeze(noise)) <= len(pack(noise)) + 1


def test_a_bomb_is_refused_before_it_is_built() -> None:
    bomb = ZLIB + zlib.compress(bytes(64 << 20), 1)
    assert len(bomb) < 400_000
    tracemalloc.start()
    try:
        with pytest.raises(FrameError, match="more than 1048576 bytes when it is decompressed"):
            unsqueeze(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_sender_is_told_what_no_receiver_would_read() -> None:
    with pytest.raises(PayloadTooLarge):
        squeeze("x" * (2 << 20))
    assert unsqueeze(squeeze("x" * 5000, Limits(size=8000)), Limits(size=8000)) == "x" * 5000


@pytest.mark.parametrize(
    "data",
    [b"", b"\2abc", ZLIB, ZLIB + b"garbage", squeeze("y" * 5000)[:-3], squeeze("y" * 5000) + b"z"],
)
def test_other_bytes_are_a_frame_error(data: bytes) -> None:
    with pytest.raises(FrameError):
        unsqueeze(data)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for method in (b"", PLAIN, ZLIB):
        try:
            unsqueeze(method + data)
        except FrameError:
            pass
