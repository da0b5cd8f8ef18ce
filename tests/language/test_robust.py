"""No text whatever raises or takes long."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.language.compiler import verdicts
from pavane.language.errors import Diagnostic
from pavane.language.parser import parse
from pavane.language.render_diagnostic import render
from pavane.language.wellformed import check

GUIDE = Path(__file__).parents[1] / "data" / "guide"
WORDS = """
choreography protocol roles : A B W [ 3 ] * -> M < > ( ) { } ; choice at when loop count decides
custom "x>1" parallel | rec X continue call foreach i in @ = flow_cost # namespace ! 5s 1.5 .. ::
. + - == && or not , /*c*/ " /* é ٣ → 99999999999999999999
"""
SOUP = [*WORDS.split(), "//c\n", "\x00", "\n"]


def diagnosed(text: str) -> list[Diagnostic]:
    parsed = parse(text)
    found = [*parsed.diagnostics, *(d for p in parsed.protocols for d in check(p))]
    for diagnostic in found:
        assert render(diagnostic, text, "f").startswith(f"{diagnostic.severity}[PV")
    assert parsed.protocols or found, "a text without protocols says so"
    return found


@given(st.text())
def test_random_text(text: str) -> None:
    diagnosed(text)


@given(st.lists(st.sampled_from(SOUP), max_size=60))
@settings(max_examples=300)
def test_token_soup(words: list[str]) -> None:
    diagnosed(" ".join(words))
    diagnosed(f"choreography P {{ roles: A, B, W[3]; {' '.join(words)} }}")


@given(st.randoms(use_true_random=False), st.sampled_from(sorted(GUIDE.glob("*.choreo"))))
@settings(max_examples=300)
def test_damaged_protocols(rng: random.Random, file: Path) -> None:
    text = file.read_text("utf-8")
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        cut = rng.choice([0, 0, 1, 3, 20])
        text = text[:at] + rng.choice(["", *SOUP]) + text[at + cut :]
    diagnosed(text)


HUGE = {
    "braces": "{" * 200_000,
    "brackets": "[" * 200_000,
    "closers": "}" * 100_000,
    "one name": "A" * 1_000_000,
    "generics": "choreography P { roles: A, B; A -> B: M" + "<A" * 100_000,
    "unclosed protocols": "choreography P {" * 10_000,
    "quotes": '"' * 100_000,
    "comments": "/*" * 100_000,
    "zeros": "\x00" * 100_000,
    "nots": "choreography P { roles: A, B; choice A { x when (" + "!" * 50_000 + "a) { } } }",
    "arrows": "A -> " * 50_000,
    "no semicolons": "choreography P { roles: A, B;" + "A -> B: M " * 20_000 + "}",
    "namesakes": "choreography P { roles: A, B; A -> B: M; }" * 3000,
    "definitions": "choreography P { roles: A, B;" + "protocol Q { } " * 10_000 + "}",
    "chain of calls": "choreography P { roles: A, B;"
    + "".join(f"protocol Q{i} {{ A -> B: M; call Q{i + 1}; }} " for i in range(2000))
    + "call Q0; }",
    "silent chain": "choreography P { roles: A, B; choice A { a: { call Q0; } }"
    + "".join(f"protocol Q{i} {{ call Q{i + 1}; }} " for i in range(2000))
    + "protocol Q2000 { A -> B: M; } }",
    "unknown roles": "choreography P { roles: A, B;"
    + "".join(f"X{i} -> Y{i}: M; " for i in range(3000))
    + "}",
    "many roles": "choreography P { roles: "
    + ",".join(f"R{i}" for i in range(5000))
    + "; R0 ->* : M }",
    "deep choices": "choreography P { roles: A, B;"
    + "choice A { x: { " * 48
    + "A -> B: M;"
    + "} }" * 48
    + "}",
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_a_hostile_text_is_answered_soon(text: str) -> None:
    start = time.process_time()
    diagnosed(text)
    assert time.process_time() - start < 10, "linear work takes a fraction of this"


UNTOLD = "choice A { x { A -> B: X } y { A -> B: Y; B -> C: Y } } "


def test_who_is_not_told_of_a_thousand_choices_in_a_row_is_named() -> None:
    (verdict,) = verdicts(f"protocol P {{ roles: A, B, C; {UNTOLD * 1000} }}", strict=True)
    assert {d.code for d in verdict.diagnostics} == {"PV170"}


def test_who_is_not_told_of_five_hundred_choices_in_a_row_is_told() -> None:
    (verdict,) = verdicts(f"protocol P {{ roles: A, B, C; {UNTOLD * 500} }}")
    assert verdict.compiled is not None
    assert len(verdict.compiled.selections) == 1000


def test_many_continuations_that_merge_are_followed_together() -> None:
    steps = " ".join(UNTOLD.replace("C: Y", f"C: Y{n}") for n in range(200))
    (verdict,) = verdicts(f"protocol P {{ roles: A, B, C; {steps} B -> C: End }}", strict=True)
    assert verdict.compiled is not None
    (machine,) = verdict.compiled.project().machines["C"]
    assert len(machine.transitions) == 201 * 202 // 2
