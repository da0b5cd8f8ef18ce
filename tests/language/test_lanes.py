"""Which branches of `parallel` share a channel, and that those that do not can run together."""

from __future__ import annotations

import pytest

from pavane.language.compiler import Verdict, verdicts
from pavane.language.explore import explore
from pavane.language.indices import Channels
from pavane.language.system import system

APART = [
    "W[i] -> W[i+1]: L | W[i+1] -> W[i]: R",
    "W[i] -> W[i+1]: L | W[i] -> W[i+2]: R",
    "W[i] -> W[i+1]: L | W[2] -> W[1]: R",
    "V[i] -> W[i]: L | V[i] -> W[i+1]: R",
    "foreach i in W { W[i] -> W[i+1]: L } | foreach j in W { W[j+1] -> W[j]: R }",
    "foreach i in W[0..2] { A -> W[i]: M } | foreach i in W[2..4] { A -> W[i]: M }",
    "foreach i in W[0..2] { W[i] -> A: M } | W[2] -> A: M | W[3..4] -> A: N",
    "foreach i in W[0..1] { W[i+1] -> A: M } | foreach i in W[1..2] { W[i+1] -> A: M }",
    "foreach i in W[0..2] { call Tell(W[i], A) } | foreach i in W[2..4] { call Tell(W[i], A) }",
]
SHARED = [
    "W[i] -> W[i+1]: L | W[i+1] -> W[i+2]: R",
    "W[i] -> W[i+1]: L | W[0] -> W[1]: R",
    "W[i] -> W[i+1]: L | W[*] -> W[0]: R",
    "V[i] -> W[i]: L | V[i] -> W[*]: R",
    "W[i] -> A: L | W[i+1] -> A: R",
    "foreach i in W[0..2] { A -> W[i]: M } | foreach i in W[1..4] { A -> W[i]: M }",
    "foreach i in W[0..2] { A -> W[i+1]: M } | foreach i in W[2..4] { A -> W[i]: M }",
    "foreach i in W[0..2] { W[i] -> A: M } | W[1] -> A: N",
    "foreach i in W[0..n] { A -> W[i]: M } | foreach i in W[n..4] { A -> W[i]: M }",
    "foreach i in W[0..2] { call Tell(W[i], A) } | call Tell(W[1], A)",
]


def judged(lanes: str) -> Verdict:
    names = f"{'A, ' if 'A' in lanes else ''}{'V[4], ' if 'V' in lanes else ''}W[4]"
    sub = "protocol Tell(X, Y) { X -> Y: T }" if "Tell" in lanes else ""
    text = f"protocol P {{ roles: {names}; {sub} parallel {{ {lanes} }} }}"
    (verdict,) = verdicts(text, strict=True)
    return verdict


@pytest.mark.parametrize("lanes", APART)
def test_branches_that_cannot_share_a_channel_are_accepted_and_go_well(lanes: str) -> None:
    verdict = judged(lanes)
    assert verdict.compiled is not None, verdict.diagnostics
    for buffer in (1, 2):
        found = explore(system(verdict.compiled.project()), buffer=buffer)
        assert (found.findings, found.complete) == ([], True)


@pytest.mark.parametrize("lanes", SHARED)
def test_branches_that_do_or_may_are_refused(lanes: str) -> None:
    assert {d.code for d in judged(lanes).diagnostics} == {"PV142"}


TELLING = """protocol P {{ roles: A, B, W[4]; A -> W[*]: Hi; B -> W[*]: Hi;
    parallel {{
        foreach i in W[{0}] {{ choice A {{
            x {{ A -> B: X; B -> W[i]: X }}
            y {{ A -> B: Y }}
        }} }}
    |   foreach i in W[{1}] {{ {2} }}
    }} }}"""
"""A has to tell `W[i]` which branch it took, before or beside what B says."""


@pytest.mark.parametrize(
    ("one", "two", "said", "codes"),
    [
        ("0..2", "2..4", "A -> W[i]: Note", set[str]()),
        ("0..2", "1..4", "A -> W[i]: Note", {"PV142"}),
        ("0..2", "2..4", "A -> W[i-1]: Note", {"PV142"}),
        ("0..2", "2..4", "W[i] -> A: Note", set[str]()),
    ],
)
def test_a_selection_is_held_against_the_other_branches_alike(
    one: str, two: str, said: str, codes: set[str]
) -> None:
    (verdict,) = verdicts(TELLING.format(one, two, said))
    found = {d.code: d for d in verdict.diagnostics}
    assert {c for c, d in found.items() if d.severity == "error"} == codes
    if verdict.compiled is None:
        assert found["PV142"].message.startswith("`A` has to tell `W` how this goes")
        return
    assert {s.receiver for s in verdict.compiled.selections} == {"W[i]"}
    explored = explore(system(verdict.compiled.project()), buffer=1)
    assert (explored.findings, explored.complete) == ([], True)


def test_channels_meet_where_both_ends_do_and_the_distance_is_the_same() -> None:
    every = Channels()
    assert every.may_meet(Channels((0, 1), (3, 4), 3))
    assert not Channels((0, 2), None, 1).may_meet(Channels((2, 4), None, 1))
    assert not Channels(None, (0, 2)).may_meet(Channels(None, (2, 4)))
    assert not Channels(shift=1).may_meet(Channels(shift=2))
    assert Channels(shift=1).may_meet(Channels((0, 4), (0, 4)))
