from __future__ import annotations

import importlib
import random
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.broker.errors import FrameError
from pavane.broker.frame import (
    MESSAGES_LIMIT,
    VERSION,
    Abort,
    Ack,
    Control,
    Frame,
    Message,
    Parts,
    decode,
    encode,
    framer,
)

PRINT = b"12345678"
msgpack: Any = importlib.import_module("msgpack")  # has no types
HEAD = bytes([0x97, VERSION, 0xC4, 8]) + PRINT

texts = st.text(max_size=20)
counts = st.integers(0, 2**53 - 1)
parts = st.builds(
    Parts,
    start=st.none() | st.integers(0, 10_000),
    stop=st.none() | st.integers(0, 10_000),
    token=st.none() | st.binary(max_size=50),
    trace=st.none() | texts,
)
messages = st.builds(
    Message,
    sequence=counts,
    label=texts,
    payload=st.binary(max_size=50),
    branches=st.lists(texts, max_size=3).map(tuple),
    parts=st.none() | parts,
)
frames = st.builds(
    Frame,
    fingerprint=st.binary(min_size=8, max_size=8),
    messages=st.lists(messages, max_size=4).map(tuple),
    incarnation=counts,
    ack=st.none() | st.builds(Ack, received=counts, credit=counts),
    abort=st.none() | st.builds(Abort, reason=texts, code=texts, role=texts),
    control=st.none() | st.builds(Control, verb=texts, facts=st.binary(max_size=20)),
)


@given(st.lists(messages, max_size=20), st.binary(min_size=8, max_size=8))
def test_a_framer_makes_the_same_bytes(said: list[Message], fingerprint: bytes) -> None:
    assert framer(fingerprint)(said) == encode(Frame(fingerprint, tuple(said)))


@given(frames)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


def test_a_frame_is_one_msgpack_array_that_any_codec_reads() -> None:
    frame = Frame(PRINT, (Message(7, "Offer", b"\x01", ("yes",), Parts(0, 3)),), 2, Ack(5, 1024))
    assert msgpack.unpackb(encode(frame)) == [
        VERSION,
        PRINT,
        [[7, "Offer", b"\x01", ["yes"], [0, 3, None, None]]],
        2,
        [5, 1024],
        None,
        None,
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_frame_error(data: bytes) -> None:
    refused_or_read(data)


def refused_or_read(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert decode(encode(frame)) == frame


def test_twenty_thousand_mutated_frames_raise_frame_errors_only() -> None:
    rng = random.Random(1)
    frame = Frame(
        PRINT,
        tuple(
            Message(n, "Offer", b"payload", ("a", "b"), Parts(token=b"t" * 40)) for n in range(3)
        ),
        1,
        Ack(3, 9),
        Abort("why", "PV200", "W[3]"),
        Control("hello", b"\x80"),
    )
    good = encode(frame)
    refused = 0
    for _ in range(20_000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at : at + rng.randint(1, 8)]
            elif kind == 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            else:
                data[at:at] = data[: rng.randrange(len(data))]
            data = data or bytearray(b"\x90")
        try:
            decode(bytes(data))
        except FrameError:
            refused += 1
    assert refused > 15_000


MIB = 1 << 20
BOMBS = {
    "deep nesting": b"\x91" * MIB,
    "deep nesting in place of messages": HEAD + b"\x91" * MIB,
    "deep maps": HEAD + b"\x81" * MIB,
    "a million empty maps": HEAD + b"\xdd" + MIB.to_bytes(4, "big") + b"\x80" * MIB,
    "a header that promises 4 G elements": HEAD + b"\xdd\xff\xff\xff\xff",
    "a header that promises 4 GiB of bytes": bytes([0x97, VERSION]) + b"\xc6\xff\xff\xff\xff",
    "a million branches": HEAD
    + b"\x91\x95\x01\xa1a\xc4\x00\xdd"
    + MIB.to_bytes(4, "big")
    + b"\xa1a" * MIB,
    "a million messages": HEAD
    + b"\xdd"
    + MIB.to_bytes(4, "big")
    + b"\x95\x01\xa1a\xc4\x00\x90\xc0" * MIB,
    "a million parts of a frame": b"\xdd" + MIB.to_bytes(4, "big") + HEAD[1:] + b"\xc0" * MIB,
    "a label of a megabyte": HEAD + b"\x91\x95\x01\xdb" + MIB.to_bytes(4, "big") + b"a" * MIB,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a51_a_bomb_is_refused_in_bounded_memory_and_time(name: str) -> None:
    data = BOMBS[name]
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(FrameError):
            decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB
    assert time.perf_counter() - began < 1.0


REFUSED = {
    "nothing": b"",
    "another version": bytes([0x97, VERSION + 1]) + HEAD[2:] + b"\x90\x00\xc0\xc0\xc0",
    "no array": b"\x80",
    "a short fingerprint": bytes([0x97, VERSION, 0xC4, 1]) + b"1\x90\x00\xc0\xc0\xc0",
    "bytes after the end": encode(Frame(PRINT)) + b"\x00",
    "bad UTF-8": HEAD + b"\x91\x95\x01\xa2\xff\xff\xc4\x00\x90\xc0" + b"\x00\xc0\xc0\xc0",
    "a negative sequence": HEAD + b"\x91\x95\xff\xa1a\xc4\x00\x90\xc0" + b"\x00\xc0\xc0\xc0",
    "a float as sequence": HEAD + b"\x91\x95\xca\0\0\0\0\xa1a\xc4\x00\x90\xc0\x00\xc0\xc0\xc0",
    "an extension": HEAD + b"\xd4\x05\x00" + b"\x00\xc0\xc0\xc0",
    "too much of a message": HEAD + b"\x91\x96\x01\xa1a\xc4\x00\x90\xc0\xc0" + b"\x00\xc0\xc0\xc0",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_frame_is_refused(name: str) -> None:
    with pytest.raises(FrameError):
        decode(REFUSED[name])


def test_the_size_of_a_frame_is_limited() -> None:
    data = encode(Frame(PRINT, (Message(1, "A", b"x" * 1000),)))
    assert decode(data, limit=len(data)).messages[0].label == "A"
    with pytest.raises(FrameError, match="more than"):
        decode(data, limit=len(data) - 1)


def test_a_frame_holds_as_many_messages_as_are_allowed() -> None:
    full = Frame(PRINT, tuple(Message(n, "A") for n in range(MESSAGES_LIMIT)))
    assert decode(encode(full)) == full
    with pytest.raises(FrameError):
        decode(encode(Frame(PRINT, (*full.messages, Message(0, "A")))))
