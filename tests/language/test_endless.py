"""Whoever waits behind something that may never end is told of it, or the protocol is refused: random
protocols of loops, jumps and parallel branches inside each other, explored."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pavane.language.compiler import verdicts
from pavane.language.explore import explore
from pavane.language.system import system

ROLES = "ABC"
KINDS = ["send", "choice", "choice", "count", "count", "parallel", "parallel", "forever", "rec", "decides"]  # fmt: skip


class Text:
    """One protocol of three roles, whose last message is behind everything else."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = 0

    def whole(self) -> str:
        body = f"{self._block(3, [])} {self._send(label='Last')}"
        return f"protocol P {{ roles: A, B, C; A -> B: Hi; B -> C: Hi; {body} }}"

    def _send(self, sender: str = "", label: str = "") -> str:
        sender = sender or self._random.choice(ROLES)
        receiver = self._random.choice([role for role in ROLES if role != sender])
        return f"{sender} -> {receiver}: {label or f'M{self._random.randrange(6)}'};"

    def _block(self, depth: int, targets: list[str]) -> str:
        return " ".join(self._statement(depth, targets) for _ in range(self._random.randint(1, 2)))

    def _statement(self, depth: int, targets: list[str]) -> str:
        if depth == 0:
            return self._send()
        inside = depth - 1
        match self._random.choice(KINDS):
            case "choice":
                return self._choice(inside, targets)
            case "count":
                count = self._random.choice([1, 2])
                return f"loop (count: {count}) {{ {self._block(inside, targets)} }}"
            case "parallel":
                return f"parallel {{ {self._block(inside, [])} | {self._block(inside, [])} }}"
            case "forever":
                return f"loop {{ {self._block(inside, targets)} }}"
            case "decides":
                decider = self._random.choice(ROLES)
                return f"loop (decides: {decider}) {{ {self._block(inside, targets)} }}"
            case "rec":
                name = self._name("X")
                return f"rec {name} {{ {self._send()} {self._block(inside, [*targets, name])} }}"
            case _:
                return self._send()

    def _choice(self, depth: int, targets: list[str]) -> str:
        chooser, branches = self._random.choice(ROLES), list[str]()
        for branch in ("x", "y"):
            steps = [self._send(chooser, self._name("L"))]
            if self._random.random() < 0.6:
                steps.append(self._block(depth, []))
            if targets and self._random.random() < 0.4:
                steps.append(f"continue {self._random.choice(targets)};")
            elif self._random.random() < 0.4:
                steps.append(f"loop {{ {self._send()} }}")
            branches.append(f"{branch}: {{ {' '.join(steps)} }}")
        return f"choice {chooser} {{ {' '.join(branches)} }}"

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"


def check(text: str) -> bool:
    """Whether it is accepted; if it is, nothing goes wrong."""
    (verdict,) = verdicts(text)
    if verdict.compiled is None:
        return False
    found = explore(system(verdict.compiled.project()), buffer=1, limit=5_000)
    assert not found.findings, (text, found.findings)
    return True


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a21_nobody_waits_for_ever_behind_what_never_ends(seed: int) -> None:
    check(Text(seed).whole())


@pytest.mark.long
@settings(max_examples=50_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a21_nobody_waits_for_ever_behind_fifty_thousand_that_never_end(seed: int) -> None:
    check(Text(seed).whole())


def test_enough_of_these_protocols_are_accepted() -> None:
    assert sum(check(Text(seed).whole()) for seed in range(300)) > 30


TOLD = {
    "a counted loop": "loop (count: 2) { choice A { x: { A -> B: X; loop { A -> B: M; } } y: { A -> B: Y; } } }",
    "a parallel of others": """parallel { choice A { x: { A -> B: X; loop { A -> B: M; } } y: { A -> B: Y; } }
        | B -> D: K; }""",
    "a parallel it has another part in": """parallel { choice A { x: { A -> B: X; loop { A -> B: M; } }
        y: { A -> B: Y; } } | B -> C: K; }""",
    "such a parallel, and a choice": """parallel { choice A { x: { A -> B: X; loop { A -> B: M; } }
        y: { A -> B: Y; } } | D -> C: K; } choice B { z { B -> D: Z; D -> C: N; } w { B -> D: W; } }""",
    "such a parallel in a loop of another": """loop (decides: D) { parallel { choice A {
        x: { A -> B: X; loop { D -> B: M; } } y: { A -> B: Y; } } | D -> C: K; } }""",
}


@pytest.mark.parametrize("body", TOLD.values(), ids=TOLD.keys())
def test_a15_who_waits_behind_what_may_never_end_is_told(body: str) -> None:
    text = f"""protocol P {{ roles: A, B, C, D; A -> B: Hi; B -> C: Hi; C -> D: Hi; {body} C -> D: Last; }}"""
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    assert {(s.chooser, s.receiver, s.branch) for s in verdict.compiled.selections} >= {
        ("A", "C", "x")
    }
    assert check(text)


REFUSED = {
    "a loop's turn, and a message of the other branch": "A -> C: M; | loop (decides: A) { B -> C: N; }",
    "a branch's selection": """choice A { x: { A -> B: X; B -> C: M; } y: { A -> B: Y; C -> B: N; } }
        | A -> C: K;""",
}


@pytest.mark.parametrize("branches", REFUSED.values(), ids=REFUSED.keys())
def test_a19_a_selection_shares_no_channel_with_another_parallel_branch(branches: str) -> None:
    """Who is told of a choice in one branch could take it for a message of the other, or could not take it."""
    text = f"protocol P {{ roles: A, B, C; A -> B: Hi; B -> C: Hi; parallel {{ {branches} }} A -> B: End; }}"
    (verdict,) = verdicts(text)
    assert [d.code for d in verdict.diagnostics if d.severity == "error"] == ["PV142"]


FOUND = {
    "a parallel that could go round without a message": """loop (decides: B) { parallel {
        loop (decides: C) { B -> C: M2; } | loop (decides: C) { C -> B: M5; C -> A: M2; } } } C -> A: Z;""",
    "one's own endless branch, in a parallel of a parallel": """parallel { B -> C: M1; | parallel {
        choice C { x { C -> A: X; loop { B -> A: M; } } y { C -> B: Y; } } | A -> C: M3; } } B -> C: Z;""",
}
"""What random protocols found: a crash, and a role that waited for what its own branch has no end for."""


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND.keys())
def test_a21_what_random_protocols_found(body: str) -> None:
    check(f"protocol P {{ roles: A, B, C; A -> B: Hi; B -> C: Hi; {body} }}")


def test_a_counted_loop_that_only_calls_has_an_end() -> None:
    text = """protocol P { roles: A, B; protocol S(X, Y) { X -> Y: M; } loop (count: 2) { call S(A, B); }
        rec X { A -> B: Go; choice A { more: { A -> B: More; continue X; } done: { A -> B: Done; } } } }"""
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None
    (counter, *_) = verdict.compiled.project().machine("B").counters.values()
    assert counter.exit != counter.body
    assert check(text)
