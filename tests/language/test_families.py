"""Random protocols of two families and of all that an index can say, explored at small sizes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pavane.language.compiler import verdicts
from pavane.language.errors import PavaneError
from pavane.language.explore import explore
from pavane.language.system import system

from .families import Text


def check(seed: int) -> bool:
    """Whether the protocol of `seed` is accepted, also for its sizes; if it is, nothing goes wrong."""
    made = Text(seed)
    text = made.whole()
    (verdict,) = verdicts(text)
    codes = {d.code for d in verdict.diagnostics if d.severity == "error"}
    assert "PV170" not in codes, (text, "selections are enough for every role to follow")
    if verdict.compiled is None:
        return False
    try:
        projected = verdict.compiled.project(made.counts)
    except PavaneError:
        return False
    found = explore(system(projected), buffer=1, limit=4_000)
    assert not found.findings, (text, made.counts, found.findings)
    return True


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a21_families_of_every_kind_never_go_wrong(seed: int) -> None:
    check(seed)


@pytest.mark.long
@settings(max_examples=50_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_a21_fifty_thousand_with_families_never_go_wrong(seed: int) -> None:
    check(seed)


def test_enough_of_these_protocols_are_accepted() -> None:
    assert sum(map(check, range(300))) > 50


def test_a12_who_speaks_to_nobody_for_ever_waits_for_nobody() -> None:
    """A family of one has nobody to hear what it says to itself."""
    text = (
        "protocol P { roles: A, W[N]; A -> W[*]: Hi; loop { W[0] -> W[*]: M; W[0] -> W[*]: K; } }"
    )
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    for size in (1, 2):
        assert not explore(system(verdict.compiled.project({"N": size}))).findings
