"""Local types as text: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pavane.language.local_types import LocalTypeError, parse_local
from pavane.language.system import Automaton


def shown(automaton: Automaton) -> list[dict[str, int]]:
    return [{str(step): target for step, target in edges.items()} for edges in automaton.edges]


def test_a_sequence_ends_where_nothing_follows() -> None:
    for text in ("B!m ; A?n ; end", "B!m;A?n", "  B ! m . A ? n // the rest\n"):
        automaton = parse_local(text)
        assert shown(automaton) == [{"B!m": 1}, {"A?n": 2}, {}]
        assert automaton.finals == {2}


def test_choices_and_recursion() -> None:
    automaton = parse_local("rec X . +{ W[2]!m ; X, W[2]!n ; rec Y . &[ A?@b ; Y, A?o ; X ] }")
    assert shown(automaton) == [{"W[2]!m": 0, "W[2]!n": 1}, {"A?@b": 1, "A?o": 0}]
    assert automaton.finals == set()


def test_brackets_may_stand_without_a_sign_and_names_may_be_bound_again() -> None:
    assert shown(parse_local("rec X . [ ?m ; X, ?n ; rec X . !o ; X ]")) == [
        {"?m": 0, "?n": 1},
        {"!o": 1},
    ]


def test_a_branch_may_be_a_recursion_or_a_name() -> None:
    automaton = parse_local("rec X . !a ; +{ X, rec Y . !b ; Y }")
    assert shown(automaton) == [{"!a": 1}, {"!a": 1, "!b": 2}, {"!b": 2}]


WRONG = [
    ("B!m ;", 1, 6, "ends where a type should be"),
    ("B!m ;\n  &[ A?n, B!o ]", 2, 3, "mixes sends and receives"),
    ("+{ A?n }", 1, 1, "begins with sends"),
    ("&[ A!n ]", 1, 1, "begins with receives"),
    ("[ A!n, end ]", 1, 1, "has to send or receive first"),
    ("+{ A!n ]", 1, 8, "expected `,` or `}`"),
    ("+{ A!n ; end, A!n ; B!o }", 1, 15, "two branches begin with A!n"),
    ("rec X . X", 0, 0, "comes back without a send or receive"),
    ("rec X . A!m ; Z", 1, 15, "no `rec Z` around"),
    ("[ rec X . A!m ; X, A!n ; X ]", 1, 26, "no `rec X` around"),
    ("A!m end", 1, 5, "has already ended"),
    ("rec rec . A!m", 1, 5, "a name after `rec`"),
    ("rec X A!m", 1, 7, "a dot after the name"),
    ("A!m ; $", 1, 7, "does not belong"),
    ("+ A!m", 1, 3, "expected a bracket"),
    (", A!m", 1, 1, "expected a type"),
]


@pytest.mark.parametrize(("text", "line", "column", "said"), WRONG, ids=[w[3] for w in WRONG])
def test_a_mistake_has_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(LocalTypeError) as raised:
        parse_local(text)
    assert (raised.value.line, raised.value.column) == (line, column)
    assert said in raised.value.message
    assert raised.value.code == "PV199"


BIG: list[Callable[[int], str]] = [
    lambda n: "[!a;" * n + "end" + "]" * n,
    lambda n: "[" * 6 * n + "!a" + "]" * 6 * n,
    lambda n: "rec X . [" * n + "X" + "]" * n,
    lambda n: "rec X . [" + ", ".join(f"!a{m} ; X" for m in range(n)) + "]",
    lambda n: "rec X . [" + "X, " * 4 * n + "!a]",
    lambda n: "!a ;" * 4 * n + "end",
    lambda n: "x" * 40 * n,
]


@pytest.mark.parametrize("size", [10_000, pytest.param(50_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("text_of", BIG, ids=range(len(BIG)))
def test_big_types_take_bounded_time(text_of: Callable[[int], str], size: int) -> None:
    text = text_of(size)
    begun = time.process_time()
    try:
        parse_local(text)
    except LocalTypeError as error:
        assert error.message
    assert time.process_time() - begun < 20


@given(st.text("recXend.;,[]{}+&!?ab/* \n", max_size=60))
def test_any_text_gives_an_automaton_or_an_error(text: str) -> None:
    try:
        automaton = parse_local(text)
    except LocalTypeError:
        return
    for state, edges in enumerate(automaton.edges):
        assert bool(edges) != (state in automaton.finals)
