"""The reduced exploration finds what exploring every configuration finds."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pavane.language.compiler import compile_text
from pavane.language.explore import explore
from pavane.language.local_types import parse_local
from pavane.language.system import Automaton, Step, system

NAMES = ("A", "B", "C")
BUFFER = 2
LIMIT = 4_000

Queues = dict[tuple[str, str], tuple[str, ...]]
Here = tuple[tuple[int, ...], tuple[tuple[tuple[str, str], tuple[str, ...]], ...]]


@st.composite
def systems(draw: DrawFn) -> dict[str, Automaton]:
    """Three small automata; some states mix sends and receives, from and to several others."""
    return {name: draw(automata(name)) for name in NAMES}


@st.composite
def automata(draw: DrawFn, own: str) -> Automaton:
    size = draw(st.integers(1, 4))
    others = [name for name in NAMES if name != own]
    result = Automaton([{} for _ in range(size)])
    for state in range(size):
        steps = draw(
            st.lists(
                st.builds(Step, st.booleans(), st.sampled_from(others), st.sampled_from("xy")),
                max_size=2,
            )
        )
        for step in steps:
            result.edges[state][step] = draw(st.integers(0, size - 1))
        if not steps:
            result.finals.add(state)
    return result


class Whole:
    """Every configuration, one after the other."""

    def __init__(self, composed: dict[str, Automaton]) -> None:
        self.composed = composed
        start: Here = ((0,) * len(composed), ())
        self.moves: dict[Here, list[tuple[int, Here]]] = {}
        waiting: deque[Here] = deque([start])
        seen: set[Here] = {start}
        while waiting and len(seen) < LIMIT:
            here = waiting.popleft()
            self.moves[here] = list(self.after(here))
            for _, there in self.moves[here]:
                if there not in seen:
                    seen.add(there)
                    waiting.append(there)
        self.complete = not waiting

    def edges(self, here: Here, place: int) -> dict[Step, int]:
        return self.composed[NAMES[place]].edges[here[0][place]]

    def after(self, here: Here) -> list[tuple[int, Here]]:
        found = list[tuple[int, Here]]()
        for place, name in enumerate(NAMES):
            for step, target in self.edges(here, place).items():
                queues = dict(here[1])
                channel = (name, step.peer) if step.sends else (step.peer, name)
                queue = queues.get(channel, ())
                if step.sends and len(queue) < BUFFER:
                    queues[channel] = (*queue, step.label)
                elif not step.sends and queue[:1] == (step.label,):
                    queues[channel] = queue[1:]
                else:
                    continue
                states = (*here[0][:place], target, *here[0][place + 1 :])
                kept = tuple(sorted((c, q) for c, q in queues.items() if q))
                found.append((place, (states, kept)))
        return found

    def blocked(self, here: Here) -> bool:
        """Somebody could send if there were room."""
        queues = dict(here[1])
        return any(
            step.sends and len(queues.get((name, step.peer), ())) == BUFFER
            for place, name in enumerate(NAMES)
            for step in self.edges(here, place)
        )

    def problems(self) -> set[str]:
        found = set[str]()
        for here, moves in self.moves.items():
            if self.unspecified(here):
                found.add("unspecified reception")
            elif not moves and not self.blocked(here):
                ended = all(here[0][p] in self.composed[NAMES[p]].finals for p in range(len(NAMES)))
                found |= {"deadlock"} if not ended else {"orphan message"} if here[1] else set()
        return found

    def unspecified(self, here: Here) -> bool:
        queues = dict(here[1])
        return any(
            Step(False, step.peer, queues[step.peer, name][0]) not in self.edges(here, place)
            for place, name in enumerate(NAMES)
            for step in self.edges(here, place)
            if not step.sends and (step.peer, name) in queues
        )

    def starved(self) -> bool:
        """From somewhere, somebody who has not ended can never move again."""
        before: dict[Here, list[Here]] = {}
        for here, moves in self.moves.items():
            for _, there in moves:
                before.setdefault(there, []).append(here)
        return any(self.starves(place, before) for place in range(len(NAMES)))

    def starves(self, place: int, before: dict[Here, list[Here]]) -> bool:
        alive = {h for h, moves in self.moves.items() if any(who == place for who, _ in moves)}
        waiting = list(alive)
        while waiting:
            for earlier in before.get(waiting.pop(), ()):
                if earlier not in alive:
                    alive.add(earlier)
                    waiting.append(earlier)
        finals = self.composed[NAMES[place]].finals
        return any(h[0][place] not in finals for h in self.moves if h not in alive)


def check(composed: dict[str, Automaton]) -> None:
    whole = Whole(composed)
    if not whole.complete:
        return
    reduced = explore(composed, buffer=BUFFER, limit=LIMIT)
    problems = whole.problems()
    kinds = {finding.problem for finding in reduced.findings}
    assert reduced.configurations <= len(whole.moves)
    if problems:
        assert kinds <= problems | {"starvation"}, (kinds, problems)
        assert kinds, problems
    elif not any(whole.blocked(here) for here in whole.moves):
        assert ("starvation" in kinds) == whole.starved(), (kinds, reduced)
        assert kinds <= {"starvation", "orphan message"}


# A step that can be taken at any time, after which more can be received than before it.
ALWAYS = {
    "A": Automaton([{}], {0}),
    "B": Automaton(
        [
            {Step(True, "C", "y"): 1, Step(False, "C", "x"): 0},
            {Step(False, "C", "x"): 1, Step(False, "C", "y"): 0},
        ],
        set(),
    ),
    "C": Automaton([{Step(False, "B", "y"): 0, Step(True, "B", "y"): 0}], set()),
}
ONCE = {
    **ALWAYS,
    "B": Automaton(
        [
            {Step(True, "A", "x"): 1, Step(False, "C", "x"): 0},
            {Step(False, "C", "x"): 1, Step(False, "C", "y"): 1},
        ],
        set(),
    ),
    "C": Automaton([{Step(True, "B", "y"): 0}], set()),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(systems())
@example(ALWAYS)
@example(ONCE)
def test_reduction_loses_nothing(composed: dict[str, Automaton]) -> None:
    check(composed)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(systems())
def test_reduction_loses_nothing_in_ten_thousand_systems(composed: dict[str, Automaton]) -> None:
    check(composed)


GUIDE = Path(__file__).parents[1] / "data" / "guide"
COUNTS = {"Signers": 3, "threshold": 2, "Followers": 3, "Workers": 3, "N": 3}
PARALLEL = """protocol P { roles: A, B, C, D; loop (count: 20) { parallel {
    A -> B: X; B -> A: Y; | C -> D: Z; D -> C: U; | A -> C: V; C -> A: W; } } }"""


@pytest.mark.parametrize("file", sorted(GUIDE.glob("*.choreo")), ids=lambda file: file.stem)
def test_the_guide_is_explored_completely(file: Path) -> None:
    for compiled in compile_text(file.read_text()):
        sizes = compiled.open_counts
        needed = {*sizes, *compiled.open_bounds}
        bound = {n: COUNTS.get(n, COUNTS.get(sizes.get(n, n), 2)) for n in needed}
        found = explore(system(compiled.project(bound)))
        assert found.complete
        assert found.findings == []


def test_counted_rounds_of_parallel_branches_grow_linearly() -> None:
    (compiled,) = compile_text(PARALLEL)
    found = explore(system(compiled.project()))
    assert found.complete
    assert found.configurations < 500


def test_a_deadlock_behind_a_loop_that_never_stops_is_found() -> None:
    """Two who play for ever must not hide the two who deadlock."""
    play = [{Step(True, "B", "x"): 1}, {Step(False, "B", "y"): 0}]
    back = [{Step(False, "A", "x"): 1}, {Step(True, "A", "y"): 0}]
    composed = {
        "A": Automaton(play),
        "B": Automaton(back),
        "C": Automaton([{Step(False, "D", "m"): 1}, {}], {1}),
        "D": Automaton([{Step(True, "C", "n"): 1}, {}], {1}),
    }
    (finding,) = explore(composed).findings
    assert (finding.problem, finding.instance) == ("unspecified reception", "C")
    composed["D"] = Automaton([{Step(False, "C", "m"): 1}, {}], {1})
    (finding,) = explore(composed).findings
    assert (finding.problem, finding.instance) == ("starvation", "C")
    assert finding.trace == ()


def test_a_message_that_a_loop_leaves_lying_is_found() -> None:
    composed = {
        "A": Automaton([{Step(True, "C", "m"): 1}, {Step(True, "B", "x"): 1}]),
        "B": Automaton([{Step(False, "A", "x"): 0}]),
        "C": Automaton([{}], {0}),
    }
    (finding,) = explore(composed).findings
    assert (finding.problem, finding.instance) == ("orphan message", "C")


@pytest.mark.parametrize(
    ("machines", "receiver", "trace"),
    [
        ({"A": "rec X . B!x ; X", "B": "end"}, "B", ["B!x"]),
        ({"A": "rec X . B!x ; X", "B": "A?x ; A?x"}, "B", ["B!x", "A?x", "B!x", "A?x", "B!x"]),
        ({"A": "B!x ; B!x ; B!x", "B": "rec X . C!y ; X", "C": "rec X . B?y ; X"}, "B", ["B!x"]),
        ({"A": "rec X . C!x ; X"}, "C", ["C!x"]),
    ],
)
def test_a_message_to_who_can_never_take_it_is_found_though_a_channel_is_full(
    machines: dict[str, str], receiver: str, trace: list[str]
) -> None:
    found = explore({name: parse_local(text) for name, text in machines.items()})
    (finding,) = found.findings
    assert (finding.problem, finding.instance) == ("orphan message", receiver)
    assert [str(step) for _, step in finding.trace] == trace
    assert not found.needs_room


def test_a_message_that_may_be_taken_later_is_none() -> None:
    machines = {"A": "B!x ; B!x ; B!x ; C!go", "B": "C?go ; A?x ; A?x ; A?x", "C": "A?go ; B!go"}
    composed = {name: parse_local(text) for name, text in machines.items()}
    small = explore(composed, buffer=2)
    assert (small.findings, small.complete, small.needs_room) == ([], False, True)
    assert explore(composed, buffer=3).complete


FAMILY = "protocol P { roles: A, W[N]; A -> W[*]: M; W[i] -> A: N; }"


def test_what_is_stored_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    (compiled,) = compile_text(FAMILY)
    composed = system(compiled.project({"N": 100}))
    whole = explore(composed)
    assert whole.complete and not whole.needs_memory
    cells = 101 + 200
    monkeypatch.setattr("pavane.language.explore.CELL_LIMIT", 50 * cells)
    found = explore(composed)
    assert (found.findings, found.complete, found.needs_memory) == ([], False, True)
    assert found.configurations == 51 < whole.configurations
    few = explore(composed, limit=10)
    assert (few.complete, few.needs_memory, few.configurations) == (False, False, 11)


def test_one_configuration_with_many_successors_does_not_pass_the_limit() -> None:
    sends = [{Step(True, "B", f"m{n}"): 1 for n in range(500)}, {}]
    hears = [{Step(False, "A", f"m{n}"): 1 for n in range(500)}, {}]
    composed = {"A": Automaton(sends, {1}), "B": Automaton(hears, {1})}
    assert explore(composed, limit=100).configurations == 101
    assert explore(composed).complete


def test_a_family_that_is_too_large_is_not_decided_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pavane.language.explore.CELL_LIMIT", 2_000_000)
    (compiled,) = compile_text(FAMILY)
    found = explore(system(compiled.project({"N": 2_000})))
    assert (found.findings, found.complete, found.needs_memory) == ([], False, True)
    assert found.configurations * (2_001 + 4_000) < 2_400_000
