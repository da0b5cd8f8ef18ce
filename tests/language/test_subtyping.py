"""Asynchronous subtyping: the published pairs, the laws of reordering, and what is never settled."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from pavane.language.compiler import compile_text
from pavane.language.explore import explore
from pavane.language.local_types import parse_local
from pavane.language.subtyping import Answer, refines
from pavane.language.system import Automaton, Step, system

ROOT = Path(__file__).parents[2]
CORPUS = json.loads((ROOT / "tests" / "data" / "corpus" / "subtyping.json").read_text())
EXAMPLES = ROOT / "examples" / "refine"


def judged(candidate: str, original: str) -> Answer:
    return refines(parse_local(candidate), parse_local(original))


@pytest.mark.parametrize("pair", CORPUS, ids=range(1, len(CORPUS) + 1))
def test_a22_every_pair_of_the_corpus_is_decided_right(pair: dict[str, str]) -> None:
    answer = judged(pair["sub"], pair["sup"])
    assert answer.verdict == ("yes" if pair["is_subtype"] else "no"), answer


ALLOWED = [
    ("a send before a receive", "B!m ; A?n", "A?n ; B!m"),
    ("a send before one to another receiver", "C!n ; B!m", "B!m ; C!n"),
    ("a receive before one from another sender", "C?n ; B?m", "B?m ; C?n"),
    ("fewer sends", "B!m", "+{ B!m, B!n ; C!o }"),
    ("more receives", "&[ B?m, B?n ; C!o ]", "B?m"),
    ("the branch is told by what was sent ahead", "B!x ; C!y", "+{ C!y ; B!x, C!z ; B!w }"),
    ("a send past a choice of others", "B!x ; &[ C?y, C?z ]", "&[ C?y ; B!x, C?z ; B!x ]"),
    ("one ahead for ever", "B!m ; rec X . B!m ; A?n ; X", "rec X . B!m ; A?n ; X"),
    (
        "ahead in two queues",
        "C!m ; B!m ; rec X . C!m ; B!m ; A?n ; X",
        "rec X . A?n ; B!m ; C!m ; X",
    ),
    ("ever further ahead", "rec X . A?n ; B!m ; B!m ; X", "rec X . A?n ; B!m ; X"),
    ("the sends of a round in the other order", "rec X . C!n ; B!m ; X", "rec X . B!m ; C!n ; X"),
    ("the same mixture", "rec X . B!m ; A?n ; X", "rec Y . B!m ; A?n ; B!m ; A?n ; Y"),
]


@pytest.mark.parametrize(
    ("candidate", "original"), [p[1:] for p in ALLOWED], ids=[p[0] for p in ALLOWED]
)
def test_a22_may_be_done(candidate: str, original: str) -> None:
    answer = judged(candidate, original)
    assert answer.verdict == "yes", answer
    assert not answer.trace


FORBIDDEN = [
    ("a receive before a send", "A?n ; B!m", "B!m ; A?n", "waits for A, but the original first"),
    ("two messages to one receiver swapped", "B!n ; B!m", "B!m ; B!n", "sends n to B where"),
    ("two messages from one sender swapped", "B?n ; B?m", "B?m ; B?n", "only receives n"),
    ("a send left out", "A?n", "A?n ; B!m", "ends where the original goes on with B!m"),
    ("a receive left out", "B!m", "B!m ; A?n", "ends where the original goes on with A?n"),
    ("a receive too many", "A?n ; A?n", "A?n", "waits for A where the original has ended"),
    ("a send too many", "B!m ; B!m", "B!m", "sends where the original has ended"),
    ("fewer receives", "B?m", "&[ B?m, B?n ]", "n can come from B"),
    ("a receive put off for ever", "rec X . B!m ; X", "rec X . B!m ; A?n ; X", "sending for ever"),
    (
        "messages from one sender left lying",
        "rec X . B?m ; X",
        "rec X . B?m ; A?n ; X",
        "A?n arrives, and the candidate never receives it",
    ),
    (
        "a send that is never due",
        "C!o ; rec X . B!m ; X",
        "rec X . B!m ; +{ D!p ; C!o ; X, B!n ; X }",
        "",
    ),
]


@pytest.mark.parametrize(
    ("candidate", "original", "reason"), [p[1:] for p in FORBIDDEN], ids=[p[0] for p in FORBIDDEN]
)
def test_a22_may_not_be_done(candidate: str, original: str, reason: str) -> None:
    answer = judged(candidate, original)
    assert answer.verdict == "no", answer
    assert reason in answer.reason


def test_a22_what_is_put_off_for_ever_comes_with_the_loop() -> None:
    answer = judged("rec X . &[ A?n ; X, A?o ; C?p ; X ]", "rec X . C?p ; &[ A?n ; X, A?o ; X ]")
    assert answer.verdict == "no"
    assert "never receives from C" in answer.reason
    assert "original C?p" in [str(move) for move in answer.loop]
    looping = judged(
        "C!p ; rec X . A?n ; +{ B!m ; X, B!o ; D!q ; C!p ; X }",
        "rec X . A?n ; +{ B!m ; X, B!o ; D!q ; C!p ; X }",
    )
    assert looping.verdict == "no"
    steps = [str(move) for move in looping.loop if move.side == "candidate"]
    assert sorted(steps) == ["candidate A?n", "candidate B!m"]


def test_a22_a_kernel_that_asks_ahead_is_admitted_and_one_that_would_deadlock_is_not() -> None:
    (compiled,) = compile_text((EXAMPLES / "double_buffering.choreo").read_text())
    machines = system(compiled.project())
    ahead = parse_local((EXAMPLES / "kernel_ahead.local").read_text())
    stuck = parse_local((EXAMPLES / "kernel_stuck.local").read_text())
    assert refines(ahead, machines["Kernel"]).verdict == "yes"
    assert explore({**machines, "Kernel": ahead}, buffer=3).findings == []
    assert refines(stuck, machines["Kernel"]).verdict == "no"
    (finding,) = explore({**machines, "Kernel": stuck}).findings
    assert finding.problem == "deadlock"


def mixed(first: Step, second: Step) -> Automaton:
    """Both steps, in either order."""
    return Automaton([{first: 1, second: 2}, {second: 3}, {first: 3}, {}], {3})


def test_states_that_mix_sends_and_receives_are_only_followed() -> None:
    both = mixed(Step(True, "B", "m"), Step(False, "A", "n"))
    assert refines(both, both).verdict == "yes"
    answer = refines(parse_local("B!m ; A?n"), both)
    assert answer.verdict == "cannot decide"
    assert "mixes sends and receives" in answer.reason


def test_a_choice_between_receivers_that_could_go_differently_is_not_refused() -> None:
    original = parse_local("+{ B!x ; C!y ; E!v, C!y ; B!x ; D!z }")
    answer = refines(parse_local("B!x ; C!y ; D!z"), original)
    assert answer.verdict == "cannot decide", answer
    assert refines(parse_local("B!x ; C!y ; E!v"), original).verdict == "yes"


def test_branches_in_either_order_are_no_doubt() -> None:
    either = mixed(Step(True, "B", "m"), Step(True, "C", "n"))
    assert refines(parse_local("B!m ; C!n"), either).verdict == "yes"
    assert refines(parse_local("B!m ; C!o"), either).verdict == "no"


@pytest.mark.parametrize("length", [3_000, pytest.param(20_000, marks=pytest.mark.long)])
def test_long_machines_meet_no_limit_of_recursion(length: int) -> None:
    steps = " ; ".join(f"B!m{n}" for n in range(length))
    begun = time.monotonic()
    assert judged(steps, steps).verdict == "yes"
    assert judged(f"C!z ; {steps}", f"{steps} ; C!z").verdict in ("yes", "cannot decide")
    assert time.monotonic() - begun < 60


def test_what_no_summary_covers_is_not_decided_in_bounded_time() -> None:
    """The candidate sends as many `b` as it received `a`, only counting would show it."""
    candidate = "rec X . &[ A?a ; B!m ; X, A?s ; rec Y . +{ B!n ; C?k ; Y, B!e ; end } ]"
    original = "rec X . &[ A?a ; X2, A?s ; end ]".replace("X2", "B!m ; C?k ; X")
    begun = time.monotonic()
    assert judged(candidate, original).verdict in ("no", "cannot decide")
    assert time.monotonic() - begun < 30
