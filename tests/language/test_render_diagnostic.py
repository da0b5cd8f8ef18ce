"""The caret stands under what is meant, whatever is before it."""

from __future__ import annotations

import pytest

from pavane.language.errors import Diagnostic, Span
from pavane.language.render_diagnostic import render


def shown(line: str, start: int, end: int) -> tuple[str, str]:
    found = Diagnostic("PV101", "error", "sentence", Span(1, start, 1, end), "advice")
    head, place, bar, source, caret, advice = render(found, line, "f.choreo").split("\n")
    assert head == "error[PV101]: sentence"
    assert place == f"  --> f.choreo:1:{start}"
    assert bar == "  |"
    assert advice == "help: advice"
    return source.removeprefix("1 | "), caret.removeprefix("  | ")


@pytest.mark.parametrize(
    ("line", "start", "end", "source", "caret"),
    [
        ("abc def", 5, 8, "abc def", "    ^^^"),
        ("\t\tx = 1", 3, 4, "        x = 1", "        ^"),
        ("日本 x", 4, 5, "日本 x", "     ^"),
        ("e\u0301 x", 4, 5, "e\u0301 x", "  ^"),
        ("abc", 4, 4, "abc", "   ^"),
        ("a\x1b[31m", 1, 2, "a\ufffd[31m", "^"),
    ],
)
def test_tabs_and_wide_letters(line: str, start: int, end: int, source: str, caret: str) -> None:
    assert shown(line, start, end) == (source, caret)


def test_a_long_line_is_cut_around_the_place() -> None:
    source, caret = shown("x" * 5000 + "HERE" + "y" * 5000, 5001, 5005)
    assert len(source) == 160
    start = caret.index("^")
    assert source[start : start + 4] == "HERE" and caret.count("^") == 4


def test_a_node_over_many_lines_is_underlined_to_the_end_of_its_first() -> None:
    found = Diagnostic("PV101", "warning", "m", Span(2, 3, 4, 2))
    lines = render(found, "a\n  bcd  \ne\nf", "f").split("\n")
    assert lines[0] == "warning[PV101]: m"
    assert lines[-1] == "  |   ^^^"


def test_a_place_outside_the_text_still_renders() -> None:
    found = Diagnostic("PV109", "error", "m", Span(7, 1, 7, 1), "h")
    assert render(found, "", "f") == "error[PV109]: m\n  --> f:7:1\nhelp: h"
