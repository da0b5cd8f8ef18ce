"""Every code has its page: a wrong example, exactly what is said of it, and the right one.

After a wanted change write what is said anew with `PAVANE_GOLDEN=write`, and read it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pavane.language.codes import CODES
from pavane.language.compiler import Verdict, verdicts
from pavane.language.errors import ChoreographyError, Diagnostic
from pavane.language.render_diagnostic import render

PAGES = Path(__file__).parents[2] / "docs" / "reference" / "diagnostics"
TOO_LARGE_FOR_A_PAGE = {"PV108"}
SAID_WHEN_COUNTS_ARE_BOUND = {"PV181", "PV185", "PV194"}

FORM = re.compile(
    r"# (?P<code>PV\d+)\n\n(?P<meaning>.+)\.\n\n(?P<why>.+)\n\n"
    r"## Wrong\n\n```choreo\n(?P<wrong>.+?\n)```\n\n```text\n(?P<said>.+?\n)```\n\n"
    r"## Right\n\n```choreo\n(?P<right>.+?\n)```\n",
    re.DOTALL,
)
SHOWN = sorted(CODES.keys() - TOO_LARGE_FOR_A_PAGE)


def page(code: str) -> re.Match[str]:
    found = FORM.fullmatch((PAGES / f"{code.lower()}.md").read_text("utf-8"))
    assert found is not None, "a page has the form above"
    return found


def judged(text: str) -> tuple[Verdict, ...]:
    """In strict mode where the example's first comment asks for it."""
    return verdicts(text, strict=text.startswith("// strict"))


def diagnosed(text: str) -> list[Diagnostic]:
    found = list[Diagnostic]()
    for verdict in judged(text):
        found += verdict.diagnostics
        if verdict.compiled is not None:
            for lay_out in (verdict.compiled.outline, verdict.compiled.project):
                try:
                    lay_out()
                except ChoreographyError as error:
                    found += error.diagnostics
    return found


def test_every_code_has_a_page_and_no_page_is_left_over() -> None:
    assert {file.stem.upper() for file in PAGES.glob("*.md")} == CODES.keys()


@pytest.mark.parametrize("code", SHOWN)
def test_a_page_says_what_its_code_means(code: str) -> None:
    found = page(code)
    assert found["code"] == code
    assert found["meaning"].lower() == CODES[code].lower()


@pytest.mark.parametrize("code", SHOWN)
def test_the_wrong_example_gets_exactly_what_its_page_says(code: str) -> None:
    found = page(code)
    own = [d for d in diagnosed(found["wrong"]) if d.code == code]
    said = "\n\n".join(render(d, found["wrong"], "wrong.choreo") for d in own) + "\n"
    if os.environ.get("PAVANE_GOLDEN") == "write":
        text = found.string.replace(found["said"], said)
        (PAGES / f"{code.lower()}.md").write_text(text, "utf-8")
    assert own
    assert said == page(code)["said"]


@pytest.mark.parametrize("code", SHOWN)
def test_the_right_example_is_right(code: str) -> None:
    right = page(code)["right"]
    assert all(verdict.ok for verdict in judged(right))
    codes = {d.code for d in diagnosed(right)}
    assert code not in codes
    assert "PV172" not in codes or code in SAID_WHEN_COUNTS_ARE_BOUND
