"""Both answers against the definition itself: finite machines, every interleaving tried.

The oracle follows Ghilezan, Pantovic, Prokic, Scalas and Yoshida, Precise Subtyping for
Asynchronous Multiparty Sessions (POPL 2021), definitions 3.1 to 3.4: for every way in which the
candidate sends and every way in which the original receives there are receives of the one and sends
of the other that make two sequences, of which the first is a permitted reordering of the second.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pavane.language.subtyping import refines
from pavane.language.system import Automaton, Step

PEERS = ("A", "B")
LABELS = ("x", "y")

Tree = tuple[tuple[Step, "Tree"], ...]
Sequence = tuple[Step, ...]


def tree(automaton: Automaton, state: int = 0) -> Tree:
    return tuple((s, tree(automaton, t)) for s, t in sorted(automaton.edges[state].items()))


def pruned(whole: Tree, *, sends: bool) -> list[Tree]:
    """The trees in which one of the sends (or receives) is chosen everywhere, and all of the
    others kept."""
    if not whole:
        return [()]
    below = [[(step, chosen) for chosen in pruned(rest, sends=sends)] for step, rest in whole]
    if whole[0][0].sends == sends:
        return [(branch,) for branches in below for branch in branches]
    return [tuple(branches) for branches in product(*below)]


def sequences(single: Tree) -> list[Sequence]:
    if not single:
        return [()]
    return [(step, *rest) for step, below in single for rest in sequences(below)]


def reorders(first: Sequence, second: Sequence) -> bool:
    if not first:
        return not second
    step = first[0]
    for place, other in enumerate(second):
        if (other.sends, other.peer) == (step.sends, step.peer):
            rest = second[:place] + second[place + 1 :]
            return other == step and reorders(first[1:], rest)
        if other.sends and not step.sends:
            return False
    return False


def oracle(candidate: Automaton, original: Automaton) -> bool:
    ours = [sequences(t) for t in pruned(tree(candidate), sends=True)]
    theirs = [sequences(t) for t in pruned(tree(original), sends=False)]
    return all(
        any(reorders(w, v) for w in first for v in second) for first in ours for second in theirs
    )


@st.composite
def finite(draw: DrawFn) -> Automaton:
    """A machine without loops: from every state one goes to later ones."""
    size = draw(st.integers(2, 5))
    result = Automaton([{} for _ in range(size)], {size - 1})
    for state in range(size - 1):
        sends, peer = draw(st.booleans()), draw(st.sampled_from(PEERS))
        for label in draw(st.sampled_from([LABELS[:1], LABELS[:1], LABELS])):
            step = Step(sends, peer, label)
            result.edges[state][step] = draw(st.integers(state + 1, size - 1))
    return result


@st.composite
def reordered(draw: DrawFn) -> tuple[Automaton, Automaton]:
    """A machine and one that comes from it by swaps of neighbours, and sometimes a lost branch."""
    original = draw(finite())
    candidate = Automaton([dict(edges) for edges in original.edges], set(original.finals))
    for _ in range(draw(st.integers(1, 3))):
        swap(candidate, draw(st.integers(0, len(candidate.edges) - 1)))
    state = draw(st.integers(0, len(candidate.edges) - 1))
    if len(candidate.edges[state]) > 1 and draw(st.booleans()):
        candidate.edges[state].popitem()
    return candidate, original


def swap(automaton: Automaton, state: int) -> None:
    """What follows all steps of a state comes before them."""
    edges = automaton.edges[state]
    following = [automaton.edges[target] for target in edges.values()]
    if not edges or not following[0] or any(f.keys() != following[0].keys() for f in following):
        return
    swapped: dict[Step, int] = {}
    for after in following[0]:
        swapped[after] = automaton.add_state()
        automaton.edges[swapped[after]] = {
            before: automaton.edges[target][after] for before, target in edges.items()
        }
    automaton.edges[state] = swapped


def check(candidate: Automaton, original: Automaton) -> None:
    answer = refines(candidate, original)
    wanted = "yes" if oracle(candidate, original) else "no"
    assert answer.verdict == wanted, (answer, candidate, original)


SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(reordered())
def test_a22_reorderings_are_judged_as_the_definition_does(
    pair: tuple[Automaton, Automaton],
) -> None:
    check(*pair)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(finite(), finite())
def test_a22_unrelated_machines_are_judged_as_the_definition_does(
    candidate: Automaton, original: Automaton
) -> None:
    check(candidate, original)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=SLOW)
@given(reordered())
def test_a22_ten_thousand_reorderings_are_judged_as_the_definition_does(
    pair: tuple[Automaton, Automaton],
) -> None:
    check(*pair)
