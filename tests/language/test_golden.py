"""Wrong protocols and exactly what is said of them.

Each `golden/NAME.choreo` stands beside `NAME.expected`. After a wanted change write the
expectations anew with `PAVANE_GOLDEN=write pytest tests/language/test_golden.py`, and read them.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from pavane.language import determine
from pavane.language.codes import CODES
from pavane.language.compiler import compile_text, verdicts
from pavane.language.errors import ChoreographyError, Diagnostic
from pavane.language.parser import parse
from pavane.language.render_diagnostic import render

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.choreo"))
NO_FILE_SHOWS = {"PV108", "PV181", "PV182", "PV185", "PV194"}
"""Too large for a file, or said only when counts are bound: see below and test_bindings.py."""


@cache
def diagnosed(text: str) -> list[Diagnostic]:
    """What the whole compiler says; in strict mode where the file's first comment asks for it."""
    judged = verdicts(text, strict=text.startswith("// strict"))
    found = [d for verdict in judged for d in verdict.diagnostics]
    return sorted(found, key=lambda d: (d.span.line, d.span.column))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_wrong_protocol_gets_exactly_these_diagnostics(case: Path) -> None:
    text = case.read_text("utf-8")
    said = "\n\n".join(render(d, text, case.name) for d in diagnosed(text)) + "\n"
    expected = case.with_suffix(".expected")
    if os.environ.get("PAVANE_GOLDEN") == "write":
        expected.write_text(said, "utf-8")
    assert said == expected.read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_code_in_the_name_of_a_case_is_found_in_it(case: Path) -> None:
    if case.stem.startswith("pv"):
        code = case.stem[:5].upper()
        assert code in {d.code for d in diagnosed(case.read_text("utf-8"))}


def test_every_code_has_a_case() -> None:
    said = "".join(case.with_suffix(".expected").read_text("utf-8") for case in CASES)
    assert set(re.findall(r"\[(PV\d+)\]", said)) == CODES.keys() - NO_FILE_SHOWS


def test_a_text_over_the_limit_is_refused_unread() -> None:
    (only,) = parse("/" * (10 * 1024 * 1024 + 1)).diagnostics
    assert only.code == "PV108"


def test_a_text_of_too_many_words_is_refused_before_it_is_parsed() -> None:
    (only,) = parse("choreography P { roles: A, B;" + "A -> B: M; " * 90_000 + "}").diagnostics
    assert only.code == "PV108"
    assert "500000 words" in only.message


def test_of_very_many_mistakes_the_first_are_said_and_errors_before_warnings() -> None:
    wrong = "A[mine = 1] -> B: M; " * 200 + "A -> A: M; " * 60
    (verdict,) = verdicts(f"protocol P {{ roles: A, B; {wrong} }}")
    assert len(verdict.diagnostics) == 100
    assert sum(d.severity == "error" for d in verdict.diagnostics) == 60


def test_every_diagnostic_says_what_to_do_and_where() -> None:
    for case in CASES:
        text = case.read_text("utf-8")
        lines = text.split("\n")
        for diagnostic in diagnosed(text):
            assert diagnostic.hint, (case.stem, diagnostic)
            assert 1 <= diagnostic.span.line <= len(lines)
            assert 1 <= diagnostic.span.column <= len(lines[diagnostic.span.line - 1]) + 1


def test_a06_a_file_with_five_mistakes_reports_five() -> None:
    text = (GOLDEN / "five_mistakes.choreo").read_text("utf-8")
    assert [d.code for d in diagnosed(text)] == ["PV123", "PV144", "PV138", "PV125", "PV130"]


def test_a06_mistakes_with_families_and_jumps_are_reported_beside_each_other() -> None:
    text = (GOLDEN / "five_in_families.choreo").read_text("utf-8")
    found = [d.code for d in diagnosed(text)]
    assert found == ["PV124", "PV191", "PV193", "PV192", "PV136", "PV191", "PV130"]


def test_what_a_misspelt_call_may_use_is_not_said_to_be_unused() -> None:
    sub = "protocol Receipt { A -> B: M; } A -> C: N;"
    (misspelt,) = verdicts(f"protocol P {{ roles: A, B, C; {sub} call Reciept; }}")
    assert [d.code for d in misspelt.diagnostics if d.severity == "error"] == ["PV130"]


def refused(text: str) -> str:
    """The code with which an accepted protocol cannot be laid out before its counts are bound."""
    (compiled,) = compile_text(text)
    with pytest.raises(ChoreographyError) as caught:
        compiled.outline()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.hint and diagnostic.span.line == 1
    return diagnostic.code


def test_bounds_whose_order_is_open_need_a_value() -> None:
    steps = "W[0..a] -> A: X; W[0..b] -> A: Y;"
    text = f"protocol P {{ roles: A, W[N]; W[*] -> A: Z; {steps} }}"
    assert refused(text) == "PV181"


def test_of_bounds_whose_order_is_open_the_names_to_bind_are_said_and_the_place() -> None:
    ring = "protocol P { roles: W[N]; foreach i in W { W[i] -> W[i+1]: T } W[N-1] -> W[0]: T }"
    (compiled,) = compile_text(ring, "ring.choreo")
    with pytest.raises(ChoreographyError) as caught:
        compiled.outline()
    said = "the instances of W cannot be told apart before N is bound"
    assert caught.value.message == f"ring.choreo:1:10: {said}"
    assert caught.value.hint == "give the counts, as in --bind N=5"


def test_a_foreach_that_begins_a_branch_at_an_open_bound_needs_its_value() -> None:
    each = "foreach i in W[low..N] { A -> W[i]: Go; A -> B: Gone }"
    text = f"protocol P {{ roles: A, B, W[N]; choice A {{ x: {{ {each} }} y: {{ A -> B: No }} }} }}"
    assert refused(text) == "PV194"


def test_a_machine_of_too_many_states_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determine, "STATE_LIMIT", 100)
    branches = " | ".join(" ".join(f"A -> {role}: M;" for _ in range(9)) for role in "BCD")
    (verdict,) = verdicts(f"protocol P {{ roles: A, B, C, D; parallel {{ {branches} }} }}")
    assert [d.code for d in verdict.diagnostics] == ["PV182"]
