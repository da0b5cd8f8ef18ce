"""What `compare` calls safe: exploration of the mixed systems finds nothing wrong with it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.language.compatibility import Comparison, compare
from pavane.language.compiler import Compiled, compile_text, verdicts
from pavane.language.explore import Finding, explore
from pavane.language.system import system

LIMIT = 4_000

PAIRS = [
    ("choice A { x { A -> B: X } y { A -> B: Y } }", "A -> B: X"),
    ("rec X { choice A { go { A -> B: Go; continue X } stop { A -> B: Stop } } }", "A -> B: Stop"),
    ("parallel { A -> B: M | B -> A: N }", "A -> B: M; B -> A: N"),
    ("A -> W[*]: M; W[*] -> A: V; A -> B: Z", "A -> B: Z; A -> W[*]: M; W[*] -> A: V"),
    (
        "loop (decides: A) { A -> W[0..k]: M } A -> W[*]: End; A -> B: Z",
        "A -> W[*]: End; A -> B: Z; W[k..N] -> B: V",
    ),
    ("loop (count: k) { A -> B: M } A -> W[*]: M", "loop (count: 3) { A -> B: M } A -> W[*]: M"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_mixtures_by_hand(one: str, other: str) -> None:
    for texts in ((one, other), (other, one)):
        old, new = (compile_text(f"choreography P {{ roles: {roles(t)}; {t} }}")[0] for t in texts)
        check_mixtures(old, new, compare(old, new))


def roles(text: str) -> str:
    return "A, B, W[N]" if "W[" in text else "A, B"


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


def compiled_pair(seed: int) -> tuple[Compiled, Compiled] | None:
    pair = Pair(seed)
    old, new = (
        verdicts(f"choreography P {{ roles: A, B, C; {body} }}")[0].compiled
        for body in (pair.old, pair.new)
    )
    return (old, new) if old and new else None


def check_pair(seed: int) -> int:
    versions = compiled_pair(seed)
    return check_mixtures(*versions, compare(*versions)) if versions else 0


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**64))
def test_what_is_called_safe_is_safe(seed: int) -> None:
    check_pair(seed)


@pytest.mark.long
def test_what_is_called_safe_is_safe_for_five_thousand_pairs() -> None:
    assert sum(check_pair(seed) for seed in range(5_000)) > 5_000


def test_the_random_pairs_have_mixtures() -> None:
    """The property above is about something."""
    assert sum(check_pair(seed) for seed in range(60)) > 40


def test_what_is_called_unsafe_nearly_always_goes_wrong() -> None:
    """The comparison is careful, but not much more than it has to be."""
    wrong = [bool(found) for seed in range(150) for found in refusals(seed)]
    assert len(wrong) > 150
    assert sum(wrong) > 0.95 * len(wrong)


def refusals(seed: int) -> Iterator[list[Finding]]:
    """For each role that cannot be upgraded alone, what goes wrong if it is."""
    versions = compiled_pair(seed)
    if versions is None:
        return
    before, after = (system(version.project()) for version in versions)
    for role in compare(*versions).roles.values():
        if role.upgrade is not None and role.role in after:
            mixed = {**before, role.role: after[role.role]}
            yield explore(mixed, buffer=2, limit=LIMIT).findings
