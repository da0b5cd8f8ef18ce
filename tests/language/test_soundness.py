"""What the compiler accepts cannot go wrong: random protocols, explored with bounded buffers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pavane.language.compiler import verdicts
from pavane.language.explore import explore
from pavane.language.system import Automaton, Step, system

ROLES = ("A", "B", "C", "D")
FAMILY = "W"
FAMILY_SIZE = 3


@st.composite
def protocols(draw: DrawFn, depth: int = 3) -> str:
    """A protocol whose every choice begins with its chooser; labels are sometimes reused."""
    everyone = "A -> B: Hello; C -> D: Hello; W[*] -> A: Hello;"
    body = f"{everyone} {_Body(draw).block(depth, ())}"
    return f"choreography Random {{ roles: A, B, C, D, W[{FAMILY_SIZE}]; {body} }}"


class _Body:
    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw
        self._labels = 0

    def _pick(self, strategy: SearchStrategy[str]) -> str:
        return self._draw(strategy)

    def _number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def _label(self) -> str:
        if self._labels and self._number(0, 3) == 0:
            return f"M{self._number(1, self._labels)}"
        self._labels += 1
        return f"M{self._labels}"

    def block(self, depth: int, targets: tuple[str, ...]) -> str:
        count = self._number(1, 3)
        return " ".join(self._statement(depth, targets) for _ in range(count))

    def _statement(self, depth: int, targets: tuple[str, ...]) -> str:
        kinds = ["send", "send", "family"]
        if depth > 0:
            kinds += ["choice", "choice", "count", "decides", "rec", "parallel"]
        match self._pick(st.sampled_from(kinds)):
            case "send":
                return self._send(self._pick(st.sampled_from(ROLES)))
            case "family":
                return self._gather_or_scatter()
            case "choice":
                return self._choice(depth - 1, targets)
            case "count":
                return f"loop (count: {self._number(1, 3)}) {{ {self.block(depth - 1, ())} }}"
            case "decides":
                decider = self._pick(st.sampled_from(ROLES))
                return f"loop (decides: {decider}) {{ {self.block(depth - 1, ())} }}"
            case "rec":
                return self._rec(depth - 1)
            case _:
                return self._parallel()

    def _send(self, sender: str) -> str:
        receiver = self._pick(st.sampled_from([role for role in ROLES if role != sender]))
        return f"{sender} -> {receiver}: {self._label()};"

    def _gather_or_scatter(self) -> str:
        role = self._pick(st.sampled_from(ROLES))
        part = self._pick(st.sampled_from(["*", "0", "0..2", "1..3", "ring", "rounds", "decided"]))
        if part == "ring":
            return f"W[i] -> W[i+1]: {self._label()};"
        if part == "rounds":
            other = self._pick(st.sampled_from(ROLES))
            there, back = f"{role} -> W[i]: {self._label()};", f"W[i] -> {other}: {self._label()};"
            return f"foreach i in W {{ {there} {back} }}"
        if part == "decided":
            return f"foreach i in W {{ {self._decided(role)} }}"
        if self._number(0, 1):
            return f"{role} -> W[{part}]: {self._label()};"
        return f"W[{part}] -> {role}: {self._label()};"

    def _decided(self, chooser: str) -> str:
        """A choice in each round, which the instance of the round may learn or not."""
        branches = list[str]()
        for label in ("yes", "no"):
            steps = [self._send(chooser), f"{self._pick(st.sampled_from(ROLES))} -> W[i]: Same;"]
            steps += [f"W[i] -> {self._pick(st.sampled_from(ROLES))}: {self._label()};"]
            branches.append(f"{label} {{ {' '.join(steps[: self._number(1, 3)])} }}")
        return f"choice {chooser} {{ {' '.join(branches)} }}"

    def _choice(self, depth: int, targets: tuple[str, ...]) -> str:
        chooser = self._pick(st.sampled_from(ROLES))
        branches = list[str]()
        count = self._number(2, 3)
        timed = self._number(0, 2) == 0
        for place in range(count):
            body = f"{self._send(chooser)} {self.block(max(depth, 0), ())}"
            if targets and self._number(0, 2) == 0:
                body += f" continue {targets[0]};"
            late = timed and place == count - 1
            label = f"timeout({self._number(1, 5)}s)" if late else f"b{place}"
            branches.append(f"{label}: {{ {body} }}")
        return f"choice {chooser} {{ {' '.join(branches)} }}"

    def _rec(self, depth: int) -> str:
        self._labels += 1
        name = f"X{self._labels}"
        first = self._send(self._pick(st.sampled_from(ROLES)))
        return f"rec {name} {{ {first} {self._choice(depth, (name,))} }}"

    def _parallel(self) -> str:
        return f"parallel {{ {self._send('A')} {self._send('B')} | {self._send('C')} }}"


def check(text: str, limit: int) -> None:
    (verdict,) = verdicts(text)
    if verdict.compiled is None:
        return
    found = explore(system(verdict.compiled.project()), buffer=1, limit=limit)
    assert not found.findings, (text, found.findings)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols(depth=2))
def test_a21_what_is_accepted_never_goes_wrong(text: str) -> None:
    check(text, limit=3_000)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols(depth=3))
def test_a21_ten_thousand_protocols_never_go_wrong(text: str) -> None:
    check(text, limit=20_000)


ENDLESS = {
    "once round a loop that has no end": "loop (count: 1) { loop { A -> B: M; } }",
    "once, with a jump back in every branch": """loop (count: 1) { rec X { A -> B: M;
        choice A { x: { A -> B: X; continue X; } y: { A -> B: Y; continue X; } } } }""",
    "for the only one of a family": "foreach i in V { loop { A -> V[i]: M; } }",
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS.keys())
def test_a21_nobody_waits_for_what_is_behind_rounds_that_never_end(body: str) -> None:
    """C has no part in them: after its Go comes nothing more, and it must not wait for the next one."""
    text = f"""protocol P {{ roles: A, B, C, V[1]; A -> V[*]: Hi; A -> B: Hi;
        loop (decides: A) {{ A -> C: Go; {body} }} }}"""
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    found = explore(system(verdict.compiled.project()), buffer=1, limit=20_000)
    assert not found.findings, found.findings


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols(depth=2))
def test_a15_selections_are_enough_for_every_role_to_follow(text: str) -> None:
    (verdict,) = verdicts(text)
    codes = {d.code for d in verdict.diagnostics if d.severity == "error"}
    assert not codes & {"PV170", "PV171"}, verdict.diagnostics


IN_ROUNDS = {
    "of another": "choice A { x { A -> B: X; B -> W[i]: M } y { A -> B: Y; B -> W[i]: M; W[i] -> B: R } }",
    "who sends first": "A -> W[i]: Go; choice A { x { A -> B: X; V[i] -> B: M } y { A -> B: Y; V[i] -> B: K } }",
    "not in the rounds": "A -> W[i]: Go; choice A { x { A -> B: X; V[0] -> B: M } y { A -> B: Y; V[0] -> B: K } }",
    "of the instance": "choice W[i] { x { W[i] -> A: X; A -> B: K } y { W[i] -> A: Y; A -> B: K; B -> W[i]: R } }",
    "of its neighbour": "choice W[i] { x { W[i] -> A: X; A -> W[i+1]: K } y { W[i] -> A: Y; A -> W[i+1]: K; W[i+1] -> B: R } }",
    "again or not": "loop (decides: A) { A -> B: K; B -> W[i]: M }",
    "in a sub-protocol": "call S(W[i], A, B)",
}
"""Choices inside `foreach i in W`, each announced to those whom a round names."""


@pytest.mark.parametrize("body", IN_ROUNDS.values(), ids=IN_ROUNDS.keys())
@pytest.mark.parametrize("size", ["3", "N"])
def test_a13_a_choice_in_a_foreach_is_announced_to_the_instances_of_its_round(
    body: str, size: str
) -> None:
    sub = "protocol S(X, Y, Z) { choice Y { x { Y -> Z: X; Z -> X: M } y { Y -> Z: Y; Z -> X: M; X -> Z: R } } }"
    rest = "" if "V[" in body else "W[*] -> V[*]: Hi;"
    used = "B -> V[*]: Hi; A -> B: Hi;"
    text = f"protocol P {{ roles: A, B, W[{size}], V[3]; {sub} {used} foreach i in W {{ {body} }} {rest} }}"
    if "call" not in body:
        text = text.replace(sub, "")
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    assert verdict.compiled.selections
    bindings = {"N": 3} if size == "N" else {}
    found = explore(system(verdict.compiled.project(bindings)), buffer=1, limit=20_000)
    assert not found.findings, (text, found.findings)


def test_a13_a_foreach_may_go_through_the_family_that_a_parameter_stands_for() -> None:
    text = """protocol P { roles: A, W[3]; protocol S(X, Y) { foreach i in X { Y -> X[i]: M; X[i] -> Y: N } }
        call S(W, A) }"""
    (verdict,) = verdicts(text)
    assert verdict.compiled is not None, verdict.diagnostics
    found = explore(system(verdict.compiled.project()), buffer=1)
    assert not found.findings


Edges = list[dict[str, int]]

BROKEN: list[tuple[str, dict[str, Edges]]] = [
    ("deadlock", {"A": [{"B?M": 1}, {"B!M": 2}, {}], "B": [{"A?M": 1}, {"A!M": 2}, {}]}),
    ("orphan message", {"A": [{"B!M": 1}, {}], "B": [{}]}),
    ("unspecified reception", {"A": [{"B!M": 1}, {}], "B": [{"A?N": 1}, {}]}),
]


def automaton(edges: Edges) -> Automaton:
    steps = [
        {Step("!" in text, *text.replace("?", "!").split("!")): to for text, to in leaving.items()}
        for leaving in edges
    ]
    return Automaton(steps, {state for state, leaving in enumerate(edges) if not leaving})


@pytest.mark.parametrize(("problem", "machines"), BROKEN, ids=[name for name, _ in BROKEN])
def test_exploration_finds(problem: str, machines: dict[str, Edges]) -> None:
    found = explore({name: automaton(edges) for name, edges in machines.items()})
    assert [finding.problem for finding in found.findings] == [problem]
