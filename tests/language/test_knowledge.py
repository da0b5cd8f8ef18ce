"""Knowledge of choice: what is told to whom, and what strict mode says of it."""

from __future__ import annotations

import pytest

from pavane.language.compiler import Verdict, verdicts
from pavane.language.render_diagnostic import render

UNTOLD = """choreography Untold {
    roles: A, B, C;

    choice A {
        yes: { A -> B: Yes; B -> C: Go; }
        no: { A -> B: No; }
    }
}
"""


def judged(text: str, *, strict: bool = False) -> Verdict:
    (verdict,) = verdicts(text, strict=strict)
    return verdict


def test_a15_a_role_that_cannot_tell_is_sent_a_selection_and_check_reports_it() -> None:
    verdict = judged(UNTOLD)
    assert verdict.compiled is not None
    assert [str(s) for s in verdict.compiled.selections] == ["A -> C: @yes", "A -> C: @no"]
    assert [(d.code, d.severity) for d in verdict.diagnostics] == [("PV172", "note")] * 2


def test_a15_strict_mode_says_what_to_add() -> None:
    (error,) = judged(UNTOLD, strict=True).diagnostics
    first, place, *_ = render(error, UNTOLD, "untold.choreo").splitlines()
    assert first == (
        "error[PV170]: C cannot tell the branches yes, no of A apart: its part is over in one "
        "branch and not in the other (is over; or receives Go from B)"
    )
    assert place == "  --> untold.choreo:4:5"
    assert "`A -> C: Yes;`" in error.hint and "--strict" in error.hint


def test_the_fix_that_strict_mode_names_works() -> None:
    mended = UNTOLD.replace("A -> B: Yes;", "A -> B: Yes; A -> C: Yes;")
    mended = mended.replace("A -> B: No;", "A -> B: No; A -> C: No;")
    assert judged(mended, strict=True).ok


def test_a_role_whose_part_is_over_need_not_be_told() -> None:
    text = (
        "choreography P { roles: A, B, C; C -> A: Hi; choice A { x: {A -> B: X} y: {A -> B: Y} } }"
    )
    assert judged(text, strict=True).ok


def test_a_label_that_differs_tells_by_itself() -> None:
    text = """choreography P { roles: A, B, C;
        choice A { x: { A -> B: X; B -> C: X } y: { A -> B: Y; B -> C: Y } } }"""
    verdict = judged(text, strict=True)
    assert verdict.compiled is not None and not verdict.compiled.selections


def test_a_loop_that_a_role_decides_tells_its_end_also_in_strict_mode() -> None:
    text = "choreography P { roles: A, B; loop (decides: A) { A -> B: M } }"
    verdict = judged(text, strict=True)
    assert verdict.compiled is not None
    assert [str(s) for s in verdict.compiled.selections] == ["A -> B: @stop"]
    assert not verdict.diagnostics


def test_waiting_behind_a_loop_is_accepted_and_behind_an_endless_one_is_not() -> None:
    behind = "choreography P { roles: A, B, C; loop (decides: A) { A -> B: M } A -> C: Done; }"
    assert judged(behind, strict=True).ok
    endless = """choreography P { roles: A, B, C;
        choice A { x: { rec X { A -> B: M; continue X } } y: { A -> B: N } } A -> C: Done; }"""
    assert [d.code for d in judged(endless, strict=True).diagnostics] == ["PV170"]


@pytest.mark.parametrize("text", ["", "hello", "choreography", "\x00", "roles: A;"])
def test_a_text_without_a_protocol_gives_one_refusal(text: str) -> None:
    verdict = judged(text)
    assert verdict.protocol is None and not verdict.ok and verdict.diagnostics


def test_a18_a_loop_is_owned_by_the_role_that_a_parameter_stands_for() -> None:
    """The loop begins in a sub-protocol, with a message of its parameter X."""
    text = """protocol P { roles: A, B; protocol Q(X, Y) { X -> Y: M(n: int) }
        loop (custom: "n < 3") { call Q(B, A) } }"""
    compiled = judged(text).compiled
    assert compiled is not None
    assert [(s.chooser, s.branch) for s in compiled.selections] == [("B", "stop")]
