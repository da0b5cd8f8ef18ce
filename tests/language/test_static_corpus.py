"""The corpus: what is statically wrong is refused here, and nothing that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pavane.language.parser import parse
from pavane.language.wellformed import check

DATA = Path(__file__).parents[1] / "data"
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "corpus" / "protocols.jsonl").read_text().splitlines()
]
CALLS_WHAT_IS_NOT_DEFINED = "19d1aba65ea1"
REFUSED_FOR_ITS_PARAMETERS_ONLY = "f97ddcf8dff6"

STATIC = {
    "unbound role": {"PV123"},
    "unguarded recursion": {"PV135"},
    "unreachable code / non-tail recursion": {"PV132", "PV136"},
    "ill-formed choice (ambiguous/first-message/subject)": {"PV139", "PV140"},
    "unspecified reception (stuck message)": {"PV140"},
    "mutation undeclare_role": {"PV123"},
    "mutation flip_branch_subject": {"PV139"},
}


def codes(text: str) -> set[str]:
    parsed = parse(text)
    found = [*parsed.diagnostics, *(d for p in parsed.protocols for d in check(p))]
    return {d.code for d in found if d.severity == "error"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_what_is_accepted_has_no_static_error(row: dict[str, Any]) -> None:
    if row["id"] == CALLS_WHAT_IS_NOT_DEFINED:
        assert codes(row["dsl"]) == {"PV130"}
    elif row["verdict"] == "accept" or row["id"] == REFUSED_FOR_ITS_PARAMETERS_ONLY:
        assert codes(row["dsl"]) == set()


@pytest.mark.parametrize("row", [r for r in ROWS if r["why"] in STATIC], ids=lambda row: row["id"])
def test_what_is_statically_wrong_is_refused_for_that(row: dict[str, Any]) -> None:
    assert codes(row["dsl"]) & STATIC[row["why"]]


@pytest.mark.parametrize("number", range(1, 17))
def test_a01_the_guides_protocols_are_well_formed_as_written(number: int) -> None:
    text = (DATA / "guide" / f"{number:03}.choreo").read_text("utf-8")
    parsed = parse(text)
    assert not parsed.diagnostics
    assert [check(p) for p in parsed.protocols] == [()]
