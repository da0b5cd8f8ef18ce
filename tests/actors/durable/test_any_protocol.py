"""Any protocol, its process killed at any write: it goes on, and its log is whole."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import pavane
from pavane.actors.choreography import Choreography
from pavane.actors.durable.audit import Audit, audit
from pavane.actors.durable.names import Place
from pavane.actors.standin import StandIn

from ...language.families import Text

Dying = Callable[..., Awaitable[Any]]

DATA = Path(__file__).parents[2] / "data"
ROWS = [json.loads(line) for line in (DATA / "corpus" / "protocols.jsonl").read_text().splitlines()]
NUMBERS = itertools.count()
UNHEEDED = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
ENDLESS = 70
"""Writes after which a protocol counts as one without an end."""


async def ends(
    dying: Dying,
    choreography: Choreography,
    seed: int,
    lives: list[int],
    bindings: dict[str, int] | None = None,
) -> bool:
    """Play a session whose process is killed at each of `lives` in turn, then to its end; False
    for one that has none."""
    session = f"s{next(NUMBERS)}"
    found: list[Audit] = []

    async def attempt(runtime: pavane.Runtime) -> None:
        roles = dict.fromkeys(choreography.roles, StandIn(seed))
        await runtime.run(choreography, roles, bindings=bindings, durable=True, session=session)
        place = Place(choreography.namespace, choreography.name, session)
        found.append(await audit(runtime.broker, place, runtime.journal))

    for life in lives:
        await dying(attempt, life)
        found.clear()
    last = await dying(attempt, ENDLESS)
    if last.is_dead:
        return False
    (result,) = found
    assert not result.faults, result.faults
    assert result.is_over
    return True


# --- protocols that are drawn ----------------------------------------------------------------

ROLES = ("A", "B", "C")


def send(names: tuple[str, str, int]) -> str:
    return f"{names[0]} -> {names[1]}: M{names[2]}(int)"


def charged(names: tuple[str, str, int]) -> str:
    sender, receiver, number = names
    annotated = f'{sender}[flow_cost = 3, journal_facts = "f{number}"]'
    return f"{annotated} -> {receiver}: K{number}(int)"


def choice(drawn: tuple[int, str, str]) -> str:
    n, left, right = drawn
    return f"choice A {{ l{n}: {{ A -> B: L{n} {left} }} r{n}: {{ A -> B: R{n} {right} }} }}"


def looped(body: str) -> str:
    return f"loop (count: 2) {{ {body} }}"


def both(drawn: tuple[str, str]) -> str:
    return f"parallel {{ {drawn[0]} | {drawn[1]} }}"


NUMBER = st.integers(0, 10**6)
PLAIN = st.sampled_from(list(itertools.permutations(ROLES, 2)))
FAMILY = st.sampled_from([("W[*]", role) for role in ROLES] + [(role, "W[*]") for role in ROLES])


def statements(depth: int) -> st.SearchStrategy[str]:
    pairs = st.one_of(PLAIN, PLAIN, FAMILY)
    names = st.tuples(pairs, NUMBER).map(lambda drawn: (drawn[0][0], drawn[0][1], drawn[1]))
    plain = st.tuples(PLAIN, NUMBER).map(lambda drawn: (drawn[0][0], drawn[0][1], drawn[1]))
    flat = st.one_of(names.map(send), plain.map(charged))
    if not depth:
        return flat
    block = st.lists(statements(depth - 1), min_size=1, max_size=3).map("\n".join)
    return st.one_of(
        flat,
        flat,
        block.map(looped),
        st.tuples(block, block).map(both),
        st.tuples(NUMBER, block, block).map(choice),
    )


protocols = st.lists(statements(2), min_size=1, max_size=4).map(
    lambda body: "protocol P { roles: A, B, C, W[2];\n" + "\n".join(body) + "\n}"
)


def loaded(text: str) -> Choreography:
    try:
        return pavane.load(text)
    except pavane.ChoreographyError:
        assume(False)
        raise


async def drawn(dying: Dying, text: str, seed: int, lives: list[int]) -> None:
    choreography = loaded(text)
    assume(await ends(dying, choreography, seed, lives))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=UNHEEDED,
)
@given(protocols, st.integers(0, 99), st.lists(st.integers(1, 60), max_size=3))
async def test_a49_any_protocol_goes_on_wherever_it_was_killed(
    dying: Dying, unique: str, text: str, seed: int, lives: list[int]
) -> None:
    await drawn(dying, text, seed, lives)


@pytest.mark.long
@settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=UNHEEDED,
)
@given(protocols, st.integers(0, 99), st.lists(st.integers(1, 60), max_size=5))
async def test_a49_a_thousand_protocols_go_on(
    dying: Dying, text: str, seed: int, lives: list[int]
) -> None:
    await drawn(dying, text, seed, lives)


# --- families ----------------------------------------------------------------------------------


async def with_families(dying: Dying, seed: int, lives: list[int]) -> None:
    made = Text(seed, forever=False)
    choreography = loaded(made.whole())
    try:
        projected = choreography.compiled.project(made.counts)
    except pavane.PavaneError:
        assume(False)
        raise
    assume(all(m.finals for machines in projected.machines.values() for m in machines))
    assume(await ends(dying, choreography, seed, lives, made.counts))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=UNHEEDED,
)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 60), max_size=3))
async def test_a49_any_protocol_of_families_goes_on(
    dying: Dying, seed: int, lives: list[int]
) -> None:
    await with_families(dying, seed, lives)


@pytest.mark.long
@settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=UNHEEDED,
)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 60), max_size=5))
async def test_a49_a_thousand_protocols_of_families_go_on(
    dying: Dying, seed: int, lives: list[int]
) -> None:
    await with_families(dying, seed, lives)


# --- protocols that are known ------------------------------------------------------------------


MISJUDGED = ("19d1aba65ea1", "f97ddcf8dff6")
ACCEPTED = [r["dsl"] for r in ROWS if r["verdict"] == "accept" and r["id"] not in MISJUDGED]


async def test_a49_protocols_of_the_corpus_go_on(dying: Dying) -> None:
    for number, text in enumerate(random.Random(7).sample(ACCEPTED, 5)):
        await ends(dying, pavane.load_all(text)[0], number, [5 + 3 * number])


@pytest.mark.long
async def test_a49_all_protocols_of_the_corpus_go_on(dying: Dying) -> None:
    for number, text in enumerate(ACCEPTED):
        choreography = pavane.load_all(text)[0]
        for life in range(1, 60, 6):
            await ends(dying, choreography, number, [life])
