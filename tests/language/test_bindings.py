"""Counts and bounds: what must be bound, what fits, and what the errors name."""

from __future__ import annotations

import pytest

from pavane.language.bindings import BindingError
from pavane.language.compiler import compile_text, verdicts
from pavane.language.explore import explore
from pavane.language.machine import INDEX_LIMIT
from pavane.language.system import system

GATHER = "choreography G { roles: C, S[*]; C -> S[*]: Ask; S[0..threshold] -> C: Answer; }"
VOTE = "choreography V { roles: L, F[N]; L -> F[*]: Ask; F[i] -> L: Vote; }"


def names(text: str, **bindings: int) -> list[str]:
    (compiled,) = compile_text(text)
    return [m.name for machines in compiled.project(bindings).machines.values() for m in machines]


@pytest.mark.parametrize("size", [1, 5, 100, INDEX_LIMIT])
def test_a9_one_parse_serves_every_size(size: int) -> None:
    (compiled,) = compile_text(VOTE)
    assert compiled.project({"N": size}).sizes["F"] == size
    assert compiled.project({"F": size}).sizes["F"] == size


def test_a9_an_unbound_family_is_named() -> None:
    with pytest.raises(BindingError, match="the family S has no size") as caught:
        names(GATHER, threshold=2)
    assert caught.value.name == "S"
    assert "--bind S=3" in caught.value.hint


def test_a11_an_unbound_threshold_is_named() -> None:
    with pytest.raises(BindingError, match="threshold has no value"):
        names(GATHER, S=3)


def test_a11_a_threshold_above_the_count_is_refused() -> None:
    with pytest.raises(BindingError, match="S has 3 instances, and threshold asks for 4"):
        names(GATHER, S=3, threshold=4)


def test_a11_the_range_divides_the_family() -> None:
    assert names(GATHER, S=5, threshold=3) == ["C", "S[0..3]", "S[3..5]"]
    assert names(GATHER, S=3, threshold=3) == ["C", "S[0..3]"]


@pytest.mark.parametrize("size", [0, -1, INDEX_LIMIT + 1])
def test_a12_a_size_that_cannot_be(size: int) -> None:
    with pytest.raises(BindingError, match=f"F cannot have {size} instances"):
        names(VOTE, N=size)


def test_a12_an_unknown_count_is_refused() -> None:
    with pytest.raises(BindingError, match="Followers is not a count of V"):
        names(VOTE, N=3, Followers=3)


def test_a12_two_different_sizes_for_one_family_are_refused() -> None:
    with pytest.raises(BindingError, match="bound to two sizes"):
        names(VOTE, N=3, F=4)


def test_a8_three_instances_of_which_one_takes_no_part() -> None:
    text = "choreography S { roles: M, W[3]; M -> W[0]: A; M -> W[1]: B; W[0] -> M: C; }"
    (compiled,) = compile_text(text)
    idle = compiled.project().machine("W", 2)
    assert (idle.name, list(idle.transitions), idle.finals) == ("W[2]", [], frozenset({0}))


def test_a_family_of_any_size_has_as_many_machines() -> None:
    assert len(names(GATHER, S=10_000, threshold=6_667)) == len(names(GATHER, S=3, threshold=2))


def test_a18_a_count_is_bound() -> None:
    text = "choreography L { roles: A, B; loop (count: rounds) { A -> B: M } }"
    (compiled,) = compile_text(text)
    machine = compiled.project({"rounds": 7}).machine("A")
    assert {counter.count for counter in machine.counters.values()} == {7}


def test_a18_no_rounds_leave_nothing_of_a_loop_even_inside_a_recursion() -> None:
    text = "choreography L { roles: A, B; rec X { loop (count: n) { A -> B: M } continue X } }"
    (compiled,) = compile_text(text)
    assert compiled.project({"n": 0}).machine("A").transitions == ()
    assert len(compiled.project({"n": 2}).machine("A").transitions) == 1


def test_a11_with_a_threshold_of_0_nobody_sends() -> None:
    (compiled,) = compile_text(GATHER)
    machine = compiled.project({"S": 3, "threshold": 0}).machine("C")
    assert [str(step.action) for step in machine.transitions] == ["S[*]!Ask"]


def test_a11_a_range_that_ends_before_it_begins_is_refused() -> None:
    text = "choreography G { roles: C, S[3]; C -> S[*]: Ask; S[low..high] -> C: Answer; }"
    with pytest.raises(BindingError, match=r"S\[2..1\] ends before it begins"):
        names(text, low=2, high=1)


@pytest.mark.parametrize("value", ["3", 2.5, True, None])
def test_a12_a_count_that_is_no_whole_number_is_refused(value: object) -> None:
    (compiled,) = compile_text(VOTE)
    with pytest.raises(BindingError, match="N has to be a whole number"):
        compiled.project({"N": value})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


EACH = "choreography E { roles: L, F[N]; L -> F[i]: Ask; F[i] -> L: Vote; L -> F[*]: End; }"


def test_a_value_bound_for_an_index_variable_fixes_it() -> None:
    assert names(EACH, N=5) == ["L", "F[0..5]"]
    assert names(EACH, N=5, i=2) == ["L", "F[0..2]", "F[2]", "F[3..5]"]
    (compiled,) = compile_text(EACH)
    assert compiled.open_bounds == frozenset()
    assert compiled.bindable == {"F", "N", "i"}


def test_an_index_variable_bound_outside_the_family_is_refused() -> None:
    with pytest.raises(BindingError, match="F has 3 instances, and i asks for 3"):
        names(EACH, N=3, i=3)


def test_the_variable_of_a_foreach_cannot_be_bound() -> None:
    text = "choreography F { roles: L, F[3]; foreach i in F { L -> F[i]: Ask; } }"
    with pytest.raises(BindingError, match="i is not a count of F"):
        names(text, i=1)


def test_a_bound_that_is_an_index_too_stays_inside_the_family() -> None:
    text = "choreography B { roles: L, F[3]; L -> F[0..k]: Ask; L -> F[k]: Last; F[*] -> L: Vote; }"
    assert names(text, k=2) == ["L", "F[0..2]", "F[2]"]
    with pytest.raises(BindingError, match="F has 3 instances, and k asks for 3"):
        names(text, k=3)


DECIDES = [
    "choice W[t] { x { W[t] -> A: X } y { W[t] -> A: Y } }",
    "loop (decides: W[t]) { W[t] -> A: X }",
    "protocol S { choice W[t] { x { W[t] -> A: X } y { W[t] -> A: Y } } } call S;",
    "choice W[t] { x { W[t] -> W[t+1]: X; W[*] -> A: Z } y { W[t] -> W[t+1]: Y; W[*] -> A: Z } }",
]


@pytest.mark.parametrize("body", DECIDES)
def test_an_instance_that_a_value_names_decides(body: str) -> None:
    text = f"protocol P {{ roles: A, W[4]; {body} }}"
    (open_,) = verdicts(text)
    (refused,) = (d for d in open_.diagnostics if d.severity == "error")
    assert refused.code == "PV191" and "--bind t=0" in refused.hint
    (compiled,) = compile_text(text, bindings={"t": 1})
    assert compiled.open_bounds == compiled.bindable == {"t"}
    machine = compiled.project({"t": 1}).machine("W", 1)
    assert any(step.action.sends for step in machine.leaving(machine.initial))
    explored = explore(system(compiled.project({"t": 2})))
    assert (explored.findings, explored.complete) == ([], True)
    assert compiled.sketch().machines.keys() == {"A", "W"}


def test_its_value_is_needed_and_has_to_fit() -> None:
    text = f"protocol P {{ roles: A, W[4]; {DECIDES[0]} }}"
    (compiled,) = compile_text(text, bindings={"t": 1})
    with pytest.raises(BindingError, match="t has no value") as missing:
        compiled.project()
    assert missing.value.is_missing
    for bindings in ({"t": 4}, {"t": -1}):
        with pytest.raises(BindingError):
            compiled.project(bindings)
        with pytest.raises(BindingError):
            verdicts(text, bindings=bindings)


def test_a_binding_that_a_protocol_has_no_use_for_is_no_matter_to_it() -> None:
    text = f"protocol P {{ roles: A, W[N]; {DECIDES[0]} }}"
    (verdict,) = verdicts(text, bindings={"t": 1, "Other": 3})
    assert verdict.ok


def test_what_a_foreach_goes_through_is_fixed_by_it_alone() -> None:
    inside = "foreach t in W { choice W[t] { x { W[t] -> A: X } y { W[t] -> A: Y } } }"
    (compiled,) = compile_text(f"protocol P {{ roles: A, W[4]; {inside} }}")
    assert compiled.bindable == frozenset()
    (verdict,) = verdicts(f"protocol P {{ roles: A, W[4]; {inside} {DECIDES[0]} }}")
    refused = next(d for d in verdict.diagnostics if d.code == "PV191")
    assert "--bind" not in refused.hint
