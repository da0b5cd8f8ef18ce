"""A machine that is admitted goes wrong nowhere that its original did not; a refusal can be checked."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pavane.language.compiler import verdicts
from pavane.language.explore import Finding, explore
from pavane.language.subtyping import Answer, refines
from pavane.language.system import Automaton, Step, system

ROLES = ("A", "B", "C")
LABELS = ("x", "y")
BUFFER = 5
LIMIT = 3_000
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@st.composite
def protocols(draw: DrawFn) -> str:
    """Messages, choices and loops between three roles."""
    hello = "A -> B: Hello; B -> C: Hello; C -> A: Hello;"
    return f"protocol Random {{ roles: A, B, C; {hello} {draw(blocks(2))} }}"


@st.composite
def blocks(draw: DrawFn, depth: int) -> str:
    return " ".join(draw(statements(depth)) for _ in range(draw(st.integers(1, 4))))


@st.composite
def statements(draw: DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(["send", "send", "send", "choice", "loop"] if depth else ["send"]))
    if kind == "send":
        return draw(messages())
    if kind == "loop":
        return f"loop (decides: {draw(st.sampled_from(ROLES))}) {{ {draw(blocks(depth - 1))} }}"
    chooser = draw(st.sampled_from(ROLES))
    receiver = draw(st.sampled_from([role for role in ROLES if role != chooser]))
    branches = [
        f"b{n}: {{ {chooser} -> {receiver}: L{n}; {draw(blocks(depth - 1))} }}" for n in range(2)
    ]
    return f"choice {chooser} {{ {' '.join(branches)} }}"


@st.composite
def messages(draw: DrawFn) -> str:
    sender = draw(st.sampled_from(ROLES))
    receiver = draw(st.sampled_from([role for role in ROLES if role != sender]))
    return f"{sender} -> {receiver}: M{draw(st.integers(0, 2))};"


@st.composite
def machines(draw: DrawFn) -> Automaton:
    """A machine between two sides, with loops."""
    size = draw(st.integers(2, 5))
    result = Automaton([{} for _ in range(size)])
    for state in range(size):
        if draw(st.integers(0, 7)) == 0:
            result.finals.add(state)
            continue
        sending = draw(st.booleans())
        for label in draw(st.sampled_from([LABELS[:1], LABELS[1:], LABELS])):
            result.edges[state][Step(sending, "P", label)] = draw(st.integers(0, size - 1))
    return result


def varied(draw: DrawFn, original: Automaton) -> Automaton:
    """Neighbouring steps swapped, loops unrolled, sometimes a step taken ahead or a branch lost."""
    result = Automaton([dict(edges) for edges in original.edges], set(original.finals))
    for _ in range(draw(st.integers(1, 3))):
        state = draw(st.integers(0, len(result.edges) - 1))
        match draw(st.sampled_from(["swap", "swap", "swap", "unroll", "lose"])):
            case "swap":
                swap(result, state)
            case "unroll":
                unroll(result, state)
            case _ if len(result.edges[state]) > 1:
                result.edges[state].popitem()
            case _:
                pass
    return result


def swap(automaton: Automaton, state: int) -> None:
    """The one step of a state comes after what followed it."""
    if len(automaton.edges[state]) != 1:
        return
    ((before, target),) = automaton.edges[state].items()
    swapped: dict[Step, int] = {}
    for after, end in automaton.edges[target].items():
        swapped[after] = automaton.add_state()
        automaton.edges[swapped[after]] = {before: end}
    if swapped:
        automaton.edges[state] = swapped


def unroll(automaton: Automaton, state: int) -> None:
    """The first step leads to a copy of the state that it led to."""
    for step, target in automaton.edges[state].items():
        copy = automaton.add_state()
        automaton.edges[copy] = dict(automaton.edges[target])
        if target in automaton.finals:
            automaton.finals.add(copy)
        automaton.edges[state][step] = copy
        return


@st.composite
def replaced(draw: DrawFn) -> tuple[dict[str, Automaton], str, Automaton]:
    """The machines of an accepted protocol, and a variation of one of them."""
    (verdict,) = verdicts(draw(protocols()))
    assume(verdict.compiled is not None)
    assert verdict.compiled is not None
    composed = system(verdict.compiled.project())
    role = draw(st.sampled_from(ROLES))
    return composed, role, varied(draw, composed[role])


def replay(answer: Answer, candidate: Automaton, original: Automaton) -> None:
    """Both machines can take their steps of the trace and then of the loop, twice."""
    for side, automaton in (("candidate", candidate), ("original", original)):
        state = 0
        for move in (*answer.trace, *answer.loop, *answer.loop):
            if move.side == side:
                state = automaton.edges[state][move.step]


def check_in_protocol(case: tuple[dict[str, Automaton], str, Automaton]) -> None:
    composed, role, candidate = case
    answer = refines(candidate, composed[role], limit=5_000)
    replay(answer, candidate, composed[role])
    if answer.verdict == "yes":
        found = explore({**composed, role: candidate}, buffer=BUFFER, limit=LIMIT)
        if has_fewer_sends(candidate, composed[role]):
            finite = [f for f in found.findings if stops({**composed, role: candidate}, f)]
            assert not finite, (answer, finite)
        else:
            assert not found.findings, (answer, found)


def stops(composed: dict[str, Automaton], finding: Finding) -> bool:
    """Whether the problem is there at the trace's end, rather than put off by who goes on."""
    states = dict.fromkeys(composed, 0)
    for who, step in finding.trace:
        states[who] = composed[who].edges[states[who]][step]
    ended = all(state in composed[name].finals for name, state in states.items())
    return finding.problem in ("deadlock", "unspecified reception") or (
        finding.problem == "orphan message" and ended
    )


def has_fewer_sends(candidate: Automaton, original: Automaton) -> bool:
    """Whether some choice of sends has lost a branch. Who never decides to stop, though it might,
    lets others wait: that is fairness, which subtyping does not speak of."""
    known = [{s for s in edges if s.sends} for edges in original.edges]
    ours = [{s for s in edges if s.sends} for edges in candidate.edges]
    return any(steps < choice for steps in ours if steps for choice in known)


def check_against_the_dual(candidate: Automaton, original: Automaton) -> None:
    answer = refines(candidate, original, limit=5_000)
    replay(answer, candidate, original)
    steps = [
        {Step(not s.sends, "M", s.label): t for s, t in edges.items()} for edges in original.edges
    ]
    dual = Automaton(steps, set(original.finals))
    found = explore({"M": candidate, "P": dual}, buffer=BUFFER, limit=LIMIT)
    if answer.verdict == "yes":
        assert not found.findings, (answer, found)
    elif answer.verdict == "no" and found.complete:
        assert found.findings or answer.loop or "never" in answer.reason, answer


@st.composite
def variations(draw: DrawFn) -> tuple[Automaton, Automaton]:
    original = draw(machines())
    return varied(draw, original), original


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(replaced())
def test_a22_an_admitted_machine_keeps_its_protocol_safe(
    case: tuple[dict[str, Automaton], str, Automaton],
) -> None:
    check_in_protocol(case)


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(variations())
def test_a22_answers_agree_with_running_against_the_dual(
    pair: tuple[Automaton, Automaton],
) -> None:
    check_against_the_dual(*pair)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(machines(), machines())
def test_a22_unrelated_machines_agree_with_running_against_the_dual(
    candidate: Automaton, original: Automaton
) -> None:
    check_against_the_dual(candidate, original)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=SLOW)
@given(replaced())
def test_a22_ten_thousand_admitted_machines_keep_their_protocols_safe(
    case: tuple[dict[str, Automaton], str, Automaton],
) -> None:
    check_in_protocol(case)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=SLOW)
@given(variations())
def test_a22_ten_thousand_answers_agree_with_running_against_the_dual(
    pair: tuple[Automaton, Automaton],
) -> None:
    check_against_the_dual(*pair)
