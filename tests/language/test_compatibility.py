"""`compare`: what it calls safe, exploration of the mixed systems finds nothing wrong with."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.language.compatibility import Comparison, compare
from pavane.language.compiler import Compiled, compile_text, verdicts
from pavane.language.explore import explore
from pavane.language.system import Automaton, system

GUIDE = Path(__file__).parents[1] / "data" / "guide"
LIMIT = 4_000


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
    check_mixtures(protocol(old), protocol(new), comparison)


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


# --- mixtures, explored ---


def check_mixtures(old: Compiled, new: Compiled, comparison: Comparison) -> int:
    """Explore every mixture that the comparison calls safe; how many there were."""
    before, after = (system(v.project(_known(v, comparison.bindings))) for v in (old, new))
    mixtures = set(_mixtures(comparison))
    for upgraded in mixtures:
        mixed = {**before, **{n: a for n, a in after.items() if n.split("[")[0] in upgraded}}
        gone = {r.role for r in comparison.roles.values() if r.verdict == "removed"} & upgraded
        mixed = {n: a for n, a in mixed.items() if n.split("[")[0] not in gone}
        for buffer in (1, 2):
            found = explore(mixed, buffer=buffer, limit=LIMIT).findings
            assert not found, (upgraded, old.text, new.text, found, comparison)
    return len(mixtures)


def _known(version: Compiled, bound: Mapping[str, int]) -> dict[str, int]:
    names = {*version.open_counts.values(), *version.open_bounds}
    return {name: value for name, value in bound.items() if name in names}


def _mixtures(comparison: Comparison) -> Iterator[frozenset[str]]:
    """The roles that are new in each mixture: one role, all of them, or some stages of the change."""
    roles = list(comparison.roles)
    for role in comparison.roles.values():
        if role.verdict in ("identical", "upgrade"):
            yield frozenset({role.role})
        if role.verdict in ("identical", "roll back"):
            yield frozenset(roles) - {role.role}
    if comparison.safe:
        for chosen in product((False, True), repeat=len(roles)):
            yield frozenset(role for role, new in zip(roles, chosen, strict=True) if new)
    upgraded = frozenset[str]()
    for stage in comparison.order:
        kinds = {comparison.roles[role].verdict for role in stage}
        for step in [stage] if kinds & {"together", "added", "removed"} else [(r,) for r in stage]:
            upgraded |= set(step)
            yield upgraded


@dataclass
class Node:
    """A piece of a random protocol that can be changed: its text is made from its children."""

    kind: str
    words: tuple[str, ...] = ()
    children: list[Node] = field(default_factory=list["Node"])

    def text(self) -> str:
        inner = " ".join(child.text() for child in self.children)
        match self.kind:
            case "send":
                return "{} -> {}: {};".format(*self.words)
            case "choice":
                return f"choice {self.words[0]} {{ {inner} }}"
            case "branch":
                return f"{self.words[0]} {{ {inner} }}"
            case "loop":
                return f"loop ({self.words[0]}) {{ {inner} }}"
            case "rec":
                return f"rec {self.words[0]} {{ {inner} }}"
            case "continue":
                return f"continue {self.words[0]};"
            case "parallel":
                return f"parallel {{ {' | '.join(child.text() for child in self.children)} }}"
            case _:
                return inner


class Pair:
    """A random protocol and what becomes of it after a few random changes."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.labels = 0
        hello = [Node("send", ("A", "B", "H")), Node("send", ("C", "A", "H"))]
        self.body = Node("block", (), [*hello, *self.block(2, "").children])
        self.old = self.body.text()
        for _ in range(self.rng.randint(1, 2)):
            self.change()
        self.new = self.body.text()

    def label(self) -> str:
        self.labels += 1
        return f"M{self.labels}"

    def block(self, depth: int, target: str) -> Node:
        return Node("block", (), [self.statement(depth) for _ in range(self.rng.randint(1, 2))])

    def send(self, sender: str = "") -> Node:
        sender = sender or self.rng.choice("ABC")
        receiver = self.rng.choice([r for r in "ABC" if r != sender])
        return Node("send", (sender, receiver, self.label()))

    def statement(self, depth: int) -> Node:
        kind = self.rng.choice(["send", "send", "choice", "choice", "rec", "loop", "parallel"])
        match kind if depth else "send":
            case "choice":
                return self.choice(depth - 1, "")
            case "rec":
                return self.rec(depth - 1)
            case "loop":
                kinds = ["count: 2", "decides: A", "decides: B"]
                return Node("loop", (self.rng.choice(kinds),), [self.block(depth - 1, "")])
            case "parallel":
                return Node("parallel", (), [self.send("A"), self.send("B")])
            case _:
                return self.send()

    def choice(self, depth: int, target: str) -> Node:
        chooser = self.rng.choice("ABC")
        branches = [self.branch(chooser, depth, target) for _ in range(self.rng.randint(2, 3))]
        return Node("choice", (chooser,), branches)

    def branch(self, chooser: str, depth: int, target: str) -> Node:
        inner = [self.send(chooser)]
        if self.rng.random() < 0.6:
            inner.append(self.block(depth, ""))
        if target and self.rng.random() < 0.5:
            inner.append(Node("continue", (target,)))
        return Node("branch", (self.label().lower(),), inner)

    def rec(self, depth: int) -> Node:
        name = f"X{self.label()}"
        return Node("rec", (name,), [self.send(), self.choice(depth, name)])

    def all(self) -> list[Node]:
        found = [self.body]
        for node in found:
            found.extend(node.children)
        return found

    def change(self) -> None:
        nodes = self.all()
        choices = [node for node in nodes if node.kind == "choice"]
        blocks = [node for node in nodes if node.kind in ("block", "branch")]
        kind = self.rng.random()
        if choices and kind < 0.7:
            choice = self.rng.choice(choices)
            if kind < 0.35:
                choice.children.append(self.branch(choice.words[0], 0, ""))
            else:
                choice.children.pop(self.rng.randrange(len(choice.children)))
        elif kind < 0.85:
            block = self.rng.choice(blocks)
            block.children.insert(self.rng.randint(1, len(block.children) + 1), self.send())
        else:
            block = self.rng.choice(blocks)
            if len(block.children) > 1:
                block.children.pop(self.rng.randrange(1, len(block.children)))


def check_pair(seed: int) -> int:
    pair = Pair(seed)
    versions = list[Compiled]()
    for body in (pair.old, pair.new):
        (verdict,) = verdicts(f"choreography P {{ roles: A, B, C; {body} }}")
        if verdict.compiled is None:
            return 0
        versions.append(verdict.compiled)
    old, new = versions
    return check_mixtures(old, new, compare(old, new))


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**64))
def test_what_is_called_safe_is_safe(seed: int) -> None:
    check_pair(seed)


@pytest.mark.long
def test_what_is_called_safe_is_safe_for_five_thousand_pairs() -> None:
    assert sum(check_pair(seed) for seed in range(5_000)) > 5_000


def test_the_random_pairs_have_mixtures() -> None:
    """The property above is about something."""
    assert sum(check_pair(seed) for seed in range(60)) > 40


Machines = Mapping[str, Automaton]


def test_what_is_called_unsafe_goes_wrong() -> None:
    """Not for every pair, as the comparison is careful; but for these."""
    for old, new, role in ((CHOICE, WIDER, "B"), (WIDER, CHOICE, "A"), (AGAIN, FOR_EVER, "A")):
        before, after = protocol(old), protocol(new)
        assert compare(before, after).roles[role].upgrade is not None
        mixed: Machines = {
            **system(before.project()),
            role: system(after.project())[role],
        }
        assert explore(mixed).findings or new == FOR_EVER
