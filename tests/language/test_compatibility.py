"""`compare`: what each kind of change means for each role."""

from __future__ import annotations

from pathlib import Path

import pytest

from pavane.language.compatibility import Comparison, compare
from pavane.language.compiler import Compiled, compile_text

GUIDE = Path(__file__).parents[1] / "data" / "guide"


def protocol(body: str, roles: str = "A, B") -> Compiled:
    (compiled,) = compile_text(f"choreography P {{ roles: {roles}; {body} }}")
    return compiled


def verdicts_of(comparison: Comparison) -> dict[str, str]:
    return {role.role: role.verdict for role in comparison.roles.values()}


# --- one pair for each thing that can differ ---

OFFER = "A -> B: Offer(price: i32);"
YES, NO, COUNTER = "y { B -> A: Yes }", "n { B -> A: No }", "c { B -> A: Counter }"
CHOICE = f"{OFFER} choice B {{ {YES} {NO} }}"
WIDER = f"{OFFER} choice B {{ {YES} {NO} {COUNTER} }}"
AGAIN = "rec X { choice A { go { A -> B: Go; continue X } stop { A -> B: Stop } } }"
FOR_EVER = "rec X { A -> B: Go; continue X }"
NEW_SEND = "after Offer, new B sends Counter to A, which old A does not expect"
UNHEARD = "after B!Offer, new B sends Counter, which old A does not expect"
PARTS = "parallel { A -> B: M | B -> A: N }"

TABLE: list[tuple[str, str, str, dict[str, str], str]] = [
    ("nothing", CHOICE, CHOICE, {"A": "identical", "B": "identical"}, ""),
    (
        "another branch",
        CHOICE,
        WIDER,
        {"A": "upgrade", "B": "roll back"},
        "after A?Offer, new B sends Counter to A, which old A does not expect",
    ),
    (
        "a branch less",
        WIDER,
        CHOICE,
        {"A": "roll back", "B": "upgrade"},
        "after B!Offer, old B sends Counter, which new A does not expect",
    ),
    (
        "another message",
        "A -> B: M; B -> A: N",
        "A -> B: M; B -> A: O",
        {"A": "together", "B": "together"},
        "after B!M, old B sends N, which new A does not expect",
    ),
    (
        "one more message",
        "A -> B: M",
        "A -> B: M; A -> B: N",
        {"A": "together", "B": "together"},
        "after B!M, new A sends N to B, which old B does not expect",
    ),
    (
        "one message less",
        "A -> B: M; B -> A: N",
        "A -> B: M",
        {"A": "together", "B": "together"},
        "after B!M, old B sends N, which new A does not expect",
    ),
    (
        "the other way round",
        "A -> B: M; B -> A: N",
        "B -> A: N; A -> B: M",
        {"A": "together", "B": "together"},
        "at the start, old A sends M to B, and new A does not",
    ),
    (
        "the way out is closed",
        AGAIN,
        FOR_EVER,
        {"A": "together", "B": "roll back"},
        "at the start, new A goes round without end, where old A can send Stop to B",
    ),
    (
        "a smaller number",
        "A -> B: M(i32)",
        "A -> B: M(i16)",
        {"A": "upgrade", "B": "roll back"},
        "at the start, new B expects M(i16), old B M(i32)",
    ),
    (
        "the same type by another name",
        "A -> B: M<String>(a: Vec<i64>, b: Option<str>)",
        "A -> B: M<str>(a: list[i64], b: String | None)",
        {"A": "identical", "B": "identical"},
        "",
    ),
    (
        "another type",
        "A -> B: M(price: i32)",
        "A -> B: M(price: String)",
        {"A": "together", "B": "together"},
        "at the start, new A sends M(price: String), old A M(price: i32)",
    ),
    (
        "another field",
        "A -> B: M(price: i32)",
        "A -> B: M(price: i32, item: str)",
        {"A": "together", "B": "together"},
        "at the start, new A sends M(price: i32, item: str), old A M(price: i32)",
    ),
    (
        "another round",
        "loop (count: 2) { A -> B: M }",
        "loop (count: 3) { A -> B: M }",
        {"A": "together", "B": "together"},
        "after B!M, B!M, new A sends M to B, which old B does not expect",
    ),
    (
        "parallel in order",
        PARTS,
        "A -> B: M; B -> A: N",
        {"A": "together", "B": "together"},
        "at the start, old B sends N, which new A does not expect",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "expected", "first"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_changes_for_whom(old: str, new: str, expected: dict[str, str], first: str) -> None:
    comparison = compare(protocol(old), protocol(new))
    assert verdicts_of(comparison) == expected
    reasons = [str(r.upgrade) for r in comparison.roles.values() if r.upgrade]
    assert reasons[:1] == ([first] if first else [])
    back = compare(protocol(new), protocol(old))
    turned = {"upgrade": "roll back", "roll back": "upgrade"}
    assert verdicts_of(back) == {r: turned.get(v, v) for r, v in expected.items()}


def test_loops_too_long_to_be_written_out_must_be_the_same() -> None:
    old, new = (protocol(f"loop (count: {n}) {{ A -> B: M }}") for n in (9000, 9001))
    assert compare(old, old).safe
    comparison = compare(old, new)
    assert verdicts_of(comparison) == {"A": "together", "B": "together"}
    reason = "at the start, new A has 9001 rounds, old A 9000 rounds"
    assert str(comparison.roles["A"].upgrade) == reason


def test_roles_that_come_and_go() -> None:
    two, three = protocol("A -> B: M"), protocol("A -> B: M; B -> C: N", "A, B, C")
    comparison = compare(two, three)
    assert verdicts_of(comparison) == {"A": "identical", "B": "together", "C": "added"}
    assert not comparison.safe
    assert verdicts_of(compare(three, two))["C"] == "removed"


def test_collective_steps_are_single_steps() -> None:
    old = protocol("A -> W[*]: Task; W[*] -> A: Result", "A, W[10000]")
    new = protocol("A -> W[*]: Task; W[0..9] -> A: Result", "A, W[10000]")
    comparison = compare(old, new)
    assert verdicts_of(comparison) == {"A": "together", "W": "together"}
    reason = "after A?Task, old W[9..10000] sends Result to A, and new W[9..10000] does not"
    assert str(comparison.roles["W"].upgrade) == reason


def test_families_of_another_size() -> None:
    old = protocol("A -> W[*]: M", "A, W[3]")
    comparison = compare(old, protocol("A -> W[*]: M", "A, W[4]"))
    assert str(comparison.roles["W"].upgrade) == (
        "at the start, old W has 3 instances, new W 4 instances"
    )
    assert not comparison.safe


def test_open_counts_are_not_taken_for_the_numbers_that_they_could_be() -> None:
    old = protocol("loop (count: 3) { A -> B: M }")
    new = protocol("loop (count: rounds) { A -> B: M }")
    comparison = compare(old, new)
    assert not comparison.safe
    assert comparison.bindings["rounds"] != 3
    assert compare(old, new, {"rounds": 3}).safe


def test_a_family_may_call_its_size_otherwise() -> None:
    old = protocol("A -> W[*]: M; W[0..few] -> A: N", "A, W[N]")
    new = protocol("A -> W[*]: M; W[0..few] -> A: N", "A, W[Many]")
    assert compare(old, new).safe
    assert compare(protocol("W[*] -> A: N", "A, W[*]"), protocol("W[i] -> A: N", "A, W[*]")).safe


def test_notes_tell_what_the_machines_do_not() -> None:
    old = protocol(
        "A[flow_cost = 3] -> B: M; choice A { y when (x > 1): { A -> B: Y } n { A -> B: N } }"
    )
    new = protocol(
        'A[guard_capability = "send"] -> B: M; choice A { yes when (x > 2): { A -> B: Y } n { A -> B: N } }'
    )
    comparison = compare(old, new)
    assert comparison.safe
    assert comparison.roles["A"].notes == (
        'B!M: flow_cost is gone, it was 3; guard_capability is "send", it was not there',
        "B!Y: the branch is yes, it was y",
        "B!Y: the guard is x > 2, it was x > 1",
    )


@pytest.mark.parametrize("file", sorted(GUIDE.glob("*.choreo")), ids=lambda file: file.stem)
def test_every_protocol_of_the_guide_is_compatible_with_itself(file: Path) -> None:
    (compiled,) = compile_text(file.read_text())
    comparison = compare(compiled, compiled)
    assert comparison.safe
    assert set(verdicts_of(comparison).values()) == {"identical"}
    assert comparison.order == ()
