"""The shortest way of a payload comes to what the long way comes to, value by value and error by error."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pavane.actors.leaves import decoding, encoding
from pavane.broker.errors import FrameError, NotPackable
from pavane.broker.payload import pack, unpack
from pavane.language.errors import PayloadError
from pavane.language.parser import parse
from pavane.language.payload import Shape
from pavane.language.tree import Send

DECLARED = ["M", "M(str)", "M(bytes)", "M(bool)", "M(())", "M(i32)", "M(f64)", "M(char)", "M(Any)",
            "M(str | None)", "M(bytes | None)", "M(str | bytes)", "M(str | int)", "M(float | str)",
            "M(list[str])", "M(dict[str, int])", "M(Thing)", "M(name: str)", "M(str, int)"]  # fmt: skip


class Text(str):
    """A str that is not exactly one."""

    __slots__ = ()


VALUES: list[Any] = [
    "", "a", "x" * 5000, "\ud800", Text("b"), b"", b"\xff", True, None, 0, 1, -1, 2**31, 2**63, 2**64,
    1.0, 0.5, float("inf"), [], ["a"], [1], {}, {"a": 1}, {"name": "a"}, ("a",), object(), 1j,
]  # fmt: skip


def shape_of(declared: str) -> Shape:
    parsed = parse(f"protocol P {{ roles: A, B; A -> B: {declared}; }}")
    assert not parsed.diagnostics, parsed.diagnostics
    (only,) = parsed.protocols[0].body.statements
    assert isinstance(only, Send)
    return Shape.of(only.message)


def outcome(what: Callable[[], Any]) -> tuple[str, str]:
    """What comes of it: the type and the value, or the error and what it says."""
    try:
        value = what()
    except (PayloadError, NotPackable, FrameError) as error:
        return type(error).__name__, error.message
    return type(value).__name__, repr(value)


@pytest.mark.parametrize("declared", DECLARED)
def test_what_is_sent_is_packed_as_the_long_way_packs_it(declared: str) -> None:
    shape = shape_of(declared)
    encode = encoding(shape)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), (("a",), {"name": "a"})]
    for value in VALUES:
        calls += [((value,), {}), ((), {"name": value}), ((value, value), {})]
    for values, fields in calls:
        long = outcome(lambda v=values, f=fields: pack(shape.pack(v, f)))  # type: ignore[misc]
        assert outcome(partial(encode, values, fields)) == long, (values, fields)


@pytest.mark.parametrize("declared", DECLARED)
def test_what_comes_is_read_as_the_long_way_reads_it(declared: str) -> None:
    """Whatever it is: of the right type, of another, cut off, changed, or no payload at all."""
    shape = shape_of(declared)
    decode = decoding(shape)
    rng = random.Random(declared)
    plain = [value for value in VALUES if outcome(partial(pack, value))[0] == "bytes"]
    bodies = [pack(value) for value in plain] + [
        pack("x" * (1 << 20)),
        b"",
        b"\xc1",
        b"\xa2\xff\xff",
    ]
    for body in list(bodies):
        cut = rng.randrange(len(body) + 1)
        bodies += [body[:cut], body + b"\x00", bytes([rng.randrange(256)]) + body[1:]]
    for body in bodies:
        long = outcome(lambda b=body: shape.unpack(unpack(b)))  # type: ignore[misc]
        assert outcome(partial(decode, body)) == long, body[:40]
