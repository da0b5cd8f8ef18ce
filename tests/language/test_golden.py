"""Wrong protocols and exactly what is said of them.

Each `golden/NAME.choreo` stands beside `NAME.expected`. After a wanted change write the
expectations anew with `PAVANE_GOLDEN=write pytest tests/language/test_golden.py`, and read them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pavane.language.codes import CODES
from pavane.language.errors import Diagnostic
from pavane.language.parser import parse
from pavane.language.render_diagnostic import render
from pavane.language.wellformed import check

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.choreo"))
TOO_LARGE_FOR_A_FILE = {"PV108"}


def diagnosed(text: str) -> list[Diagnostic]:
    parsed = parse(text)
    found = [*parsed.diagnostics, *(d for p in parsed.protocols for d in check(p))]
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
    assert set(re.findall(r"\[(PV\d+)\]", said)) == CODES.keys() - TOO_LARGE_FOR_A_FILE


def test_a_text_over_the_limit_is_refused_unread() -> None:
    (only,) = parse("/" * (10 * 1024 * 1024 + 1)).diagnostics
    assert only.code == "PV108"


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
