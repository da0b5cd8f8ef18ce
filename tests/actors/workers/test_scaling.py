"""A family on several workers: shared, joined, drained, killed; nothing of it is lost."""

from __future__ import annotations

import asyncio

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.workers.overview import summaries

from .conftest import Crew


async def scenario(
    crew: Crew, starter: pavane.Runtime, first: str, joining: str, size: int
) -> None:
    """All instances wait at a gate. The `first` workers have no room for the whole family, those that are `joining` take the rest;
    then one is drained and one killed."""
    crowd = crew.load("Crowd")
    room = size // (len(first) + 1)
    for name in first:
        crew.start(name, capacity=room, grace=0.2)
    await crew.until(starter, lambda found: len(found) == len(first))
    handle = await starter.start(crowd, bindings={"Members": size}, input="gate")
    # Each of the five roles that they serve besides, and play nothing of, keeps a place.
    full = await crew.until(
        starter,
        lambda found: len(found) == len(first) and all(w.running >= w.capacity - 5 for w in found),
    )
    assert sum(w.running for w in full) < size + 1, "there is something left to take"
    for name in joining:
        crew.start(name, capacity=2 * size)
    everyone = len(first) + len(joining)
    found = await crew.until(
        starter, lambda p: len(p) == everyone and sum(w.running for w in p) == size + 1
    )
    assert any(w.running for w in found if w.name in joining), "who joins takes load"
    assert await crew.drain(first[0]) == 0
    crew.kill(first[1])
    (crew.folder / "gate").touch()
    outcome = await handle.wait(60)
    assert outcome["Leader"] == 3 * size
    assert len(outcome["Members"]) == size
    found_in_log = await audit(starter.broker, handle.place)
    assert found_in_log.faults == []
    assert found_in_log.takeovers >= 2, "of those that were drained and killed"
    (seen,) = await summaries(starter.broker, crew.space, session=handle.id)
    assert {unit.worker for unit in seen.units.values()} >= set(joining)


async def test_a48_workers_join_leave_and_die_under_a_family(
    crew: Crew, starter: pavane.Runtime
) -> None:
    await scenario(crew, starter, "ab", "c", size=30)


@pytest.mark.long
async def test_a48_a_family_of_a_thousand(crew: Crew, starter: pavane.Runtime) -> None:
    await scenario(crew, starter, "abcd", "ef", size=1000)


@pytest.mark.parametrize("size", [1, 3])
async def test_a9_the_same_workers_serve_families_of_any_size(
    crew: Crew, starter: pavane.Runtime, size: int
) -> None:
    crew.start("only")
    crowd = crew.load("Crowd")
    handle = await starter.start(crowd, bindings={"Members": size}, patience=30)
    assert (await handle.wait(20))["Leader"] == 3 * size


async def test_a9_a12_counts_are_checked_before_anything_starts(starter: pavane.Runtime) -> None:
    crowd = pavane.load("protocol Crowd { roles: A, S[*]; A -> S[*]: Task }")
    with pytest.raises(pavane.BindingError, match="S"):
        await starter.start(crowd)
    for wrong in (0, 10_001):
        with pytest.raises(pavane.BindingError):
            await starter.start(crowd, bindings={"S": wrong})
    await asyncio.sleep(0)
