"""Machines from outside: a local type is read for an instance as a machine in JSON is."""

from __future__ import annotations

import pytest

from pavane.language.compiler import compile_text
from pavane.language.explore import explore
from pavane.language.local_types import LocalTypeError, parse_local
from pavane.language.machine_files import Whose, placed, read_machine, read_system
from pavane.language.subtyping import refines
from pavane.language.system import Automaton, Step, system

LINE = "protocol Line { roles: A, W[4]; W[i] -> W[i+1]: T; W[*] -> A: D }"
SIZES = {"W": 4}


def table(*steps: str) -> dict[str, object]:
    """A machine that does the steps in order, in JSON."""
    return {"final": [len(steps)], "transitions": [[n, s, n + 1] for n, s in enumerate(steps)]}


def path(automaton: Automaton) -> list[str]:
    """The steps of an automaton without choices."""
    said, state = list[str](), 0
    while automaton.edges[state]:
        ((step, state),) = automaton.edges[state].items()
        said.append(str(step))
    assert state in automaton.finals
    return said


@pytest.mark.parametrize("index", [1, 2])
def test_relative_peers_are_worked_out_for_the_instance(index: int) -> None:
    steps = ("W[i-1]?T", "W[i+1]!T", "A!D")
    whose = Whose(f"W[{index}]", index, SIZES)
    expected = [f"W[{index - 1}]?T", f"W[{index + 1}]!T", "A!D"]
    text = " ; ".join(steps)
    assert path(placed(parse_local(text), whose)) == expected
    assert path(read_machine(text, whose)) == path(read_machine(table(*steps), whose)) == expected
    (compiled,) = compile_text(LINE)
    projected = system(compiled.project())
    assert refines(read_machine(text, whose), projected[f"W[{index}]"]).verdict == "yes"


def test_collective_steps_are_written_out() -> None:
    gathers = Whose("A", None, SIZES)
    assert path(read_machine("W[*]?D", gathers)) == [f"W[{n}]?D" for n in range(4)]
    assert path(read_machine("W[1..3]?D", gathers)) == ["W[1]?D", "W[2]?D"]
    (compiled,) = compile_text(LINE)
    original = system(compiled.project())["A"]
    assert refines(read_machine("W[*]?D", gathers), original).verdict == "yes"


def test_loops_and_choices_are_kept() -> None:
    text = "rec X . +{ W[i+1]!more ; W[i+1]?ok ; X, W[i+1]!stop ; end }"
    found = read_machine(text, Whose("W[0]", 0, SIZES))
    more, stop = (found.edges[0][Step(True, "W[1]", label)] for label in ("more", "stop"))
    assert found.edges[more] == {Step(False, "W[1]", "ok"): 0}
    assert found.finals == {stop} and len(found.edges) == 3


def test_instances_and_roles_stay_as_they_are() -> None:
    automaton = parse_local("W[0]?Token ; A!m ; !n")
    assert placed(automaton, Whose("W[0]", 0, SIZES)) is automaton


@pytest.mark.parametrize(
    ("text", "whose", "said"),
    [
        ("W[i-1]?T", Whose("A", None, SIZES), "i-1 has no value here"),
        ("V[*]!m", Whose("A", None, SIZES), "the size of V is not known"),
        ("W[i]!m", Whose("W[2]", 2, SIZES), "nobody is meant"),
        ("W[a.b]!m", Whose("W[2]", 2, SIZES), "a.b has no value here"),
        ("&[ W[i-1]?a ; A!x, W[0]?a ; A!y ]", Whose("W[1]", 1, SIZES), "leads to two states"),
    ],
)
def test_an_index_without_a_value_is_an_error(text: str, whose: Whose, said: str) -> None:
    with pytest.raises(LocalTypeError, match=said.replace("[", r"\[")):
        read_machine(text, whose)


def test_a_system_of_local_types_runs_together() -> None:
    machines: dict[str, object] = {
        "W[0]": "W[i+1]!T",
        "W[1..3]": "W[i-1]?T ; W[i+1]!T",
        "W[3]": "W[i-1]?T",
    }
    composed = read_system(machines)
    assert path(composed["W[2]"]) == ["W[1]?T", "W[3]!T"]
    found = explore(composed)
    assert (found.findings, found.complete) == ([], True)
