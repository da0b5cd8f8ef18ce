from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft, Entry, chained
from pavane.effects.journal.merge import FactSet, view_of
from pavane.language.machine import Action

if TYPE_CHECKING:
    from .conftest import Desk


def fact(role: str, number: int, name: str) -> Entry:
    writer = Identity("ns", "Proto", "s1", role)
    return chained(writer, Draft("fact", name, 1, "M", "B"), number, number, b"")


facts = st.builds(fact, st.sampled_from(["A", "B"]), st.integers(1, 6), st.sampled_from(["x", "y"]))
sets = st.lists(facts, max_size=8).map(FactSet.of)


@given(sets, sets, sets)
def test_a33_merge_is_associative(a: FactSet, b: FactSet, c: FactSet) -> None:
    assert (a | b) | c == a | (b | c)


@given(sets, sets)
def test_a33_merge_is_commutative(a: FactSet, b: FactSet) -> None:
    assert a | b == b | a


@given(sets, sets)
def test_a33_merge_is_idempotent_with_the_empty_set_as_unit(a: FactSet, b: FactSet) -> None:
    assert a | a == a
    assert (a | b) | b == a | b
    assert a | FactSet() == a


@given(sets, sets)
def test_a33_merge_is_the_least_upper_bound(a: FactSet, b: FactSet) -> None:
    assert a <= a | b
    assert b <= a | b
    assert (a <= b) == (a | b == b)
    assert all(f in a or f in b for f in a | b)


@given(st.lists(facts, max_size=8).flatmap(lambda f: st.tuples(st.just(f), st.permutations(f))))
def test_a33_replicas_with_the_same_facts_in_any_order_are_equal(
    orders: tuple[list[Entry], list[Entry]],
) -> None:
    first, second = map(FactSet.of, orders)
    assert first == second
    assert list(first) == list(second)
    assert hash(first) == hash(second)


def journal(role: str, *drafts: tuple[str, str, int]) -> list[Entry]:
    """`("fact", name, 0)`, `("sent", "", 0)`, `("unsent", why, number)`, `("merge", peer, count)`."""
    writer = Identity("ns", "Proto", "s1", role)
    entries: list[Entry] = []
    for number, (kind, name, count) in enumerate(drafts, 1):
        match kind:
            case "merge":
                draft = Draft("merge", "", 1, "M", name, count=count)
            case "unsent":
                draft = Draft("unsent", name, 1, "M", "B", count=count)
            case "sent":
                draft = Draft("sent", name, 1, "M", "B")
            case _:
                draft = Draft("fact", name, 1, "M", "B")
        entries.append(chained(writer, draft, number, number, b""))
    return entries


def names(role: str, entries: list[Entry]) -> set[str]:
    return set(view_of(Identity("ns", "Proto", "s1", role), entries).names())


def test_a33_a_view_reaches_as_far_as_was_merged() -> None:
    entries = [
        *journal("A", ("sent", "", 0), ("fact", "a1", 0), ("sent", "", 0), ("fact", "a2", 0)),
        *journal("B", ("sent", "", 0), ("fact", "b1", 0), ("merge", "A", 2), ("fact", "b2", 0)),
        *journal("C", ("merge", "B", 2), ("sent", "", 0), ("fact", "c1", 0)),
        *journal("D", ("merge", "B", 3), ("merge", "C[0]", 3)),
    ]
    assert names("A", entries) == {"a1", "a2"}
    assert names("B", entries) == {"a1", "b1", "b2"}
    assert names("C", entries) == {"b1", "c1"}
    assert names("D", entries) == {"a1", "b1", "c1"}
    assert names("E", entries) == set()


def test_a33_facts_of_a_message_that_was_not_sent_are_in_no_view() -> None:
    entries = [
        *journal("A", ("sent", "", 0), ("fact", "lost", 0), ("unsent", "cut", 1), ("sent", "", 0)),
        *journal("B", ("merge", "A", 2)),
    ]
    assert names("A", entries) == names("B", entries) == set()


async def test_a33_two_that_merge_each_other_know_the_same(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(role="A")
    await desk.fund(role="B")
    a, b = desk.context("A"), desk.context("B")
    for context, peer in ((a, "B"), (b, "A")):
        send = action(peer, journal_facts=f"of_{peer}", journal_merge=True)
        await desk.pipeline.before_send(context, send)
    await desk.pipeline.after_arrival(a, action("A", journal_merge=True), b.identity)
    assert await desk.journal.view(a.identity) == await desk.journal.view(b.identity)
    assert len(await desk.journal.view(a.identity)) == 2
