"""Times in a protocol: what each role's machine says of them, and when a step may be taken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pavane.language.annotations import Retries, retries, seconds
from pavane.language.clocks import Clocks, Times
from pavane.language.compatibility import compare
from pavane.language.compiler import Compiled, compile_text, verdicts
from pavane.language.errors import Diagnostic
from pavane.language.monitor import Monitor
from pavane.language.table import Step, Table
from pavane.language.timing import concurrent, duration


def compiled(body: str, roles: str = "A, B, C") -> Compiled:
    (only,) = compile_text(f"protocol P {{ roles: {roles}; {body} }}")
    return only


class Instance:
    """A role that is played by hand, at times that are given."""

    def __init__(self, protocol: Compiled, role: str) -> None:
        table = Table(protocol.project().machine(role))
        self.monitor = Monitor(table)
        self.clocks = Clocks(Times(table), self.monitor.state, 0.0)

    def step(self, label: str) -> Step:
        return next(s for s in self.monitor.state.steps() if s.label == label)

    def take(self, label: str, now: float) -> None:
        step = self.step(label)
        self.monitor.advance(step)
        self.clocks.advance(step, self.monitor.state, now)

    def deadline(self) -> float | None:
        return min((d.when for d in self.clocks.deadlines()), default=None)

    def open(self, now: float) -> set[str]:
        return {
            s.label
            for s in self.monitor.sends()
            if self.clocks.closed(s, now) is None and self.clocks.early(s, now) <= 0
        }


# --- one step ---


def test_a_time_on_a_statement_is_for_both_sides_and_on_a_role_for_its_own() -> None:
    protocol = compiled("@timeout(5s) A -> B: M; A[timeout = 2s] -> B[timeout = 3s]: N; B -> C: O;")
    a, b, c = (Instance(protocol, role) for role in "ABC")
    assert (a.deadline(), b.deadline(), c.deadline()) == (5.0, 5.0, None)
    a.take("M", 1.0)
    b.take("M", 4.0)
    assert (a.deadline(), b.deadline()) == (3.0, 7.0)
    b.take("N", 5.0)
    assert b.deadline() is None


def test_a_role_that_may_end_is_never_late() -> None:
    protocol = compiled("loop (decides: A) { @timeout(5s) A -> B: M; }", "A, B")
    assert Instance(protocol, "A").deadline() is None
    assert Instance(protocol, "B").deadline() is None


def test_a_step_with_alternatives_is_as_urgent_as_the_least_urgent() -> None:
    both = "choice A { x { @timeout(%s) A -> B: X; } y { %s A -> B: Y; } }"
    assert Instance(compiled(both % ("5s", ""), "A, B"), "B").deadline() is None
    assert Instance(compiled(both % ("5s", "@timeout(8s)"), "A, B"), "B").deadline() == 8.0


def test_a_repeated_step_has_its_time_anew() -> None:
    a = Instance(compiled("rec X { @timeout(5s) A -> B: M; continue X }", "A, B"), "A")
    for now in (1.0, 4.0, 8.0):
        a.take("M", now)
        assert a.deadline() == now + 5


# --- a block ---


def test_a_block_has_its_time_from_when_a_role_reaches_it_to_its_last_step_there() -> None:
    body = "A -> B: Go; @timeout(9s) loop (count: 2) { A -> B: M; B -> C: N; } B -> A: End;"
    b = Instance(compiled(body), "B")
    assert b.deadline() is None
    b.take("Go", 1.0)
    for now, label in enumerate(("M", "N", "M", "N"), 2):
        assert b.deadline() == 10.0
        b.take(label, now)
    assert b.deadline() is None
    assert Instance(compiled(body), "C").deadline() == 9.0


def test_a_block_that_is_entered_again_has_its_time_anew() -> None:
    body = "rec X { @timeout(9s) parallel { A -> B: M; | C -> B: N; } B -> A: Again; continue X }"
    for label in (body, body.replace("B -> A: Again;", "A -> C: Other;")):
        b = Instance(compiled(label), "B")
        b.take("M", 3.0)
        assert b.deadline() == 9.0
        b.take("N", 4.0)
        if "Again" in label:
            assert b.deadline() is None
            b.take("Again", 5.0)
        assert b.deadline() in (13.0, 14.0)


def test_of_two_blocks_the_one_that_is_over_first_counts() -> None:
    body = "@timeout(9s) loop (count: 2) { @timeout(4s) loop (count: 2) { A -> B: M; } B -> A: N; }"
    a = Instance(compiled(body, "A, B"), "A")
    assert a.deadline() == 4.0
    a.take("M", 1.0)
    a.take("M", 2.0)
    assert a.deadline() == 9.0
    a.take("N", 3.0)
    assert a.deadline() == 7.0
    a.take("M", 6.0)
    a.take("M", 6.5)
    assert a.deadline() == 9.0


# --- parallel ---


def test_a_branch_of_parallel_keeps_its_time_while_the_other_goes_on() -> None:
    body = "parallel { loop (count: 9) { @timeout(3s) A -> B: M; } | @timeout(5s) A -> C: N; }"
    a = Instance(compiled(body), "A")
    a.take("M", 2.0)
    assert a.deadline() == 5.0
    a.take("N", 3.0)
    assert a.deadline() == 5.0
    a.take("M", 4.0)
    assert a.deadline() == 7.0


def test_steps_are_concurrent_in_different_branches_of_one_parallel_only() -> None:
    assert concurrent(((1, 0),), ((1, 1),))
    assert concurrent(((1, 0), (2, 1)), ((1, 0), (2, 0), (3, 1)))
    assert not concurrent(((1, 0),), ((1, 0),))
    assert not concurrent(((1, 0),), ((2, 1),))
    assert not concurrent((), ((2, 1),))


# --- a timeout branch ---

APPROVAL = """A -> B: Ask;
  choice B { yes { B -> A: Yes; A -> C: Done; } timeout(5s) { B -> A: Late; A -> C: Missed; } }"""


def test_before_its_time_a_timeout_branch_is_closed_and_afterwards_the_others_are() -> None:
    b = Instance(compiled(APPROVAL), "B")
    b.take("Ask", 3.0)
    assert b.open(3.0) == b.open(7.9) == {"Yes"}
    assert b.open(8.0) == b.open(99.0) == {"Late"}
    assert b.clocks.decision(4.0) == 8.0
    assert b.clocks.decision(9.0) == 9.0
    assert b.deadline() is None


def test_to_the_others_it_is_a_branch_like_any() -> None:
    timed = compiled(APPROVAL).project()
    plain = compiled(APPROVAL.replace("timeout(5s)", "timeout")).project()
    for role in ("A", "C"):
        assert timed.machine(role) == plain.machine(role)
    assert timed.machine("B") != plain.machine("B")


def test_a_selection_of_a_branch_has_the_time_of_the_branch() -> None:
    told = "choice A { x { A -> B: X; } timeout(2s) { A -> B: Y; B -> C: Z; } } A -> C: End;"
    a = Instance(compiled(told), "A")
    assert all(s.action.timing is not None for s in a.monitor.sends())
    assert a.open(1.0) | a.open(2.0) == {s.label for s in a.monitor.sends()}
    assert not a.open(1.0) & a.open(2.0)


def test_a_choice_in_a_loop_has_its_time_anew_in_each_round() -> None:
    a = Instance(
        compiled(
            "loop (count: 3) { choice A { x { A -> B: X; } timeout(2s) { A -> B: Y; } } }", "A, B"
        ),
        "A",
    )
    a.take("X", 1.0)
    assert (a.open(2.9), a.open(3.0)) == ({"X"}, {"Y"})
    a.take("Y", 3.5)
    assert (a.open(5.4), a.open(5.5)) == ({"X"}, {"Y"})


@st.composite
def nested(draw: DrawFn, depth: int = 3) -> str:
    """Choices of A in choices of A, with times that may shut each other out."""
    labels = iter(range(1000))

    def choice(left: int) -> str:
        timed = draw(st.booleans())
        branches: list[str] = []
        for place in range(draw(st.integers(2, 3))):
            inner = choice(left - 1) if left and draw(st.booleans()) else ""
            late = timed and not place
            name = f"timeout({draw(st.integers(1, 4))}s)" if late else f"b{place}"
            branches.append(f"{name} {{ {inner or f'A -> B: M{next(labels)};'} }}")
        return f"choice A {{ {' '.join(branches)} }}"

    return f"protocol P {{ roles: A, B; {choice(depth)} }}"


@settings(max_examples=300, deadline=None)
@given(nested())
def test_whenever_it_is_one_decides_there_is_a_branch_to_take_and_each_has_its_moment(
    text: str,
) -> None:
    (verdict,) = verdicts(text)
    if verdict.compiled is None:
        assert {d.code for d in verdict.diagnostics if d.severity == "error"} == {"PV164"}
        return
    a = Instance(verdict.compiled, "A")
    moments = [a.open(now / 2) for now in range(12)]
    assert all(moments)
    assert set[str]().union(*moments) == {s.label for s in a.monitor.sends()}


def test_versions_that_differ_in_times_only_are_compatible() -> None:
    old = compiled(f"@timeout(5s) A -> B: First; {APPROVAL}")
    for changed in ("timeout(9s)", "timeout"):
        new = compiled(f"@timeout(1s) A -> B: First; {APPROVAL.replace('timeout(5s)', changed)}")
        assert old.fingerprint != new.fingerprint
        compared = compare(old, new)
        assert compared.safe
        notes = compared.roles["B"].notes
        assert ("A!Late: it is after 9s, it was after 5s" in notes) is ("9s" in changed)
        assert ("A!Yes: it is untimed, it was before 5s" in notes) is ("9s" not in changed)
        assert not any("Yes" in note for note in compared.roles["A"].notes)


# --- values ---


@pytest.mark.parametrize(
    ("written", "meant"),
    [("250ms", 0.25), ("5s", 5.0), ("2m", 120.0), ("1h", 3600.0), ("1d", 86400.0), ("1.5s", 1.5)],
)
def test_a_time_can_be_written_in_several_units(written: str, meant: float) -> None:
    assert seconds(written) == meant
    again = seconds(duration(meant))
    assert again == meant
    protocol = compiled(f"@timeout({written}) A -> B: M;", "A, B")
    assert Instance(protocol, "A").deadline() == meant


@pytest.mark.parametrize("written", ["0s", "-1", "5", "367d", "soon", "5 s", "true", '""'])
def test_what_is_no_time_is_refused(written: str) -> None:
    (verdict,) = verdicts(f"protocol P {{ roles: A, B; @timeout({written}) A -> B: M; }}")
    refused: list[Diagnostic] = [d for d in verdict.diagnostics if d.severity == "error"]
    assert bool(refused) is (written != "5")


def test_retries_are_a_number_and_times() -> None:
    assert retries(3) == Retries(3)
    assert retries("4, base=10ms, cap = 2m") == Retries(4, 0.01, 120.0)
    for wrong in (-1, True, 1001, "x", "3, often", "3, base", "3, base=x", "9999", "", "3,", 2.0):
        assert retries(wrong) is None, wrong
