"""Two branches that begin with the same message to somebody who is in both."""

from __future__ import annotations

from time import perf_counter

import pytest

from pavane.language.errors import Diagnostic
from pavane.language.parser import parse
from pavane.language.wellformed import check

BOTH = "could not tell them apart"


def found(body: str, roles: str) -> list[Diagnostic]:
    (protocol,) = parse(f"protocol P {{ roles: {roles}; {body} }}").protocols
    return [d for d in check(protocol) if d.code == "PV140"]


def choice(*firsts: str, chooser: str = "A") -> str:
    branches = (f"b{number} {{ {first} }}" for number, first in enumerate(firsts))
    return f"choice {chooser} {{ {' '.join(branches)} }}"


@pytest.mark.parametrize(
    ("roles", "one", "other", "said"),
    [
        ("A, B", "A -> B: X", "A -> B: X", "`X` to `B`, which"),
        ("A, B", "A ->* : X", "A ->* : X", "`X` to `everyone`, which"),
        ("A, B, C", "A ->* : X", "A -> C: X", "`X` to `everyone` and to `C`; who is in both"),
        ("A, W[4]", "A ->* : X", "A -> W[0..2]: X", "`everyone` and to `W[0..2]`;"),
        ("A, W[4]", "A -> W[*]: X", "A -> W[0]: X", "`W[*]` and to `W[0]`;"),
        ("A, W[4]", "A -> W[1]: X", "A -> W[0..2]: X", "`W[1]` and to `W[0..2]`;"),
        ("A, W[4]", "A -> W[0..2]: X", "A -> W[0..3]: X", "`W[0..2]` and to `W[0..3]`;"),
        ("A, W[N]", "A -> W[N-1]: X", "A -> W[N-1]: X", "`X` to `W[N-1]`, which"),
        ("A, W[N]", "A -> W[N-1]: X", "A -> W[*]: X", "`W[N-1]` and to `W[*]`;"),
        ("W[4]", "W[0] -> W[0..3]: X", "W[0] -> W[2..4]: X", "`W[0..3]` and to `W[2..4]`;"),
    ],
)
def test_receivers_that_overlap_are_an_error(roles: str, one: str, other: str, said: str) -> None:
    chooser = one.split(" ->")[0]
    (only,) = found(choice(one, other, chooser=chooser), roles)
    assert only.message.startswith("`b0` and `b1` both begin with `X` to ")
    assert said in only.message and only.message.endswith(BOTH)


@pytest.mark.parametrize(
    ("roles", "one", "other"),
    [
        ("A, B", "A ->* : X", "A -> B: Y"),
        ("A, B, C", "A -> B: X", "A -> C: X"),
        ("A, V[2], W[2]", "A -> V[*]: X", "A -> W[*]: X"),
        ("A, W[4]", "A -> W[0..2]: X", "A -> W[2..4]: X"),
        ("A, W[4]", "A -> W[0..2]: X", "A -> W[3]: X"),
        ("A, W[N]", "A -> W[0..a]: X", "A -> W[a..N]: X"),
        ("A, W[N]", "A -> W[0]: X", "A -> W[N-1]: X"),
        ("W[4]", "W[1] -> W[0..2]: X", "W[1] -> W[1..3]: X"),
        ("W[4]", "W[0] -> W[0..2]: X", "W[0] -> W[2..4]: X"),
    ],
)
def test_others_that_do_not_or_may_not_are_none(roles: str, one: str, other: str) -> None:
    assert found(choice(one, other, chooser=one.split(" ->")[0]), roles) == []


def test_a_broadcast_in_a_sub_protocol_goes_to_its_own_roles() -> None:
    tell = "protocol Tell(X, Y) { X ->* : M }"
    other = choice("call Tell(A, B)", "A -> C: M")
    assert found(f"{tell} {other}", "A, B, C") == []
    same = choice("call Tell(A, B)", "A -> B: M; A -> C: N")
    assert len(found(f"{tell} {same}", "A, B, C")) == 1


def test_a_sub_protocol_without_parameters_speaks_to_all_roles_from_everywhere() -> None:
    tell = "protocol Tell { A ->* : M } protocol Through(X) { A -> X: N; call Tell }"
    lanes = "parallel { call Through(B) | A -> C: O }"
    (protocol,) = parse(f"protocol P {{ roles: A, B, C; {tell} {lanes} }}").protocols
    assert "PV142" in [d.code for d in check(protocol)]


def test_for_each_branch_the_first_that_begins_like_it_is_named() -> None:
    body = choice("A -> W[*]: X", "A -> W[0]: X", "A -> W[1]: X", "A -> W[0..2]: Y")
    said = [d.message[:13] for d in found(body, "A, W[4]")]
    assert said == ["`b0` and `b1`", "`b0` and `b2`"]


def test_one_branch_may_begin_alike_in_several_ways() -> None:
    body = choice("choice A { c { A -> W[0..2]: X } d { A -> W[2..4]: X } }", "A -> W[*]: Y")
    assert found(body, "A, W[4]") == []


def test_many_branches_take_no_time() -> None:
    apart = choice(*(f"A -> W[{n}..{n + 2}]: X" for n in range(0, 10_000, 2)))
    text = f"protocol P {{ roles: A, W[10000]; {apart} }}"
    (protocol,) = parse(text).protocols
    before = perf_counter()
    assert check(protocol) == ()
    assert perf_counter() - before < 5
