"""Protocols and pairs of machines whose verdicts were derived by hand from the published theory.

Double buffering, knowledge of choice over several hops, jumps out of nested recursion, roles
that merge or do not, families, races: small forms of what the literature discusses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pavane.language.compiler import verdicts
from pavane.language.explore import explore
from pavane.language.local_types import parse_local
from pavane.language.subtyping import refines
from pavane.language.system import system

DATA = Path(__file__).parents[1] / "data" / "corpus"
PROTOCOLS: list[dict[str, Any]] = json.loads((DATA / "judged_by_hand.json").read_text())
PAIRS: list[dict[str, Any]] = json.loads((DATA / "subtyping_by_hand.json").read_text())


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: str(row["name"]))
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "with selections"])
def test_a15_a_protocol_gets_the_verdict_of_the_theory(row: dict[str, Any], strict: bool) -> None:
    (verdict,) = verdicts(row["text"], strict=strict)
    assert verdict.ok == row["strict" if strict else "accepted"], verdict.diagnostics


@pytest.mark.parametrize(
    "row", [r for r in PROTOCOLS if r["accepted"]], ids=lambda r: str(r["name"])
)
def test_a21_what_is_accepted_goes_well_with_any_room_in_the_channels(row: dict[str, Any]) -> None:
    (verdict,) = verdicts(row["text"])
    assert verdict.compiled is not None
    bindings = {"N": 3, "t": 2}
    needed = {*verdict.compiled.open_counts.values(), *verdict.compiled.open_bounds}
    projection = verdict.compiled.project({k: v for k, v in bindings.items() if k in needed})
    for room in (1, 2):
        assert not explore(system(projection), buffer=room).findings


@pytest.mark.parametrize("pair", PAIRS, ids=range(1, len(PAIRS) + 1))
def test_a22_a_pair_is_decided_right(pair: dict[str, Any]) -> None:
    answer = refines(parse_local(pair["sub"]), parse_local(pair["sup"]))
    assert answer.verdict == ("yes" if pair["is_subtype"] else "no"), answer
