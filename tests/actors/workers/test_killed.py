"""Workers that are killed in the middle: every session ends as if nothing had been."""

from __future__ import annotations

import asyncio
import random

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.workers.overview import summaries
from pavane.effects.journal.history.reading import History

from .conftest import Crew

ROUNDS = 12


async def killing(crew: Crew, starter: pavane.Runtime, kills: int, seed: int) -> None:
    """Two workers; sessions all the time; again and again one of the workers is killed, at any
    moment, and another one started."""
    rng = random.Random(seed)
    talk = crew.load("Talk")
    names = iter(f"w{number}" for number in range(kills + 2))
    alive = [next(names), next(names)]
    for name in alive:
        crew.start(name, attempts=1000)
    await crew.until(starter, lambda found: len(found) == 2)
    handles: list[SessionHandle] = []
    for _ in range(kills):
        given = {"rounds": ROUNDS, "pause": 0.02}
        handles += [
            await starter.start(talk, bindings={"rounds": ROUNDS}, input=given, patience=30)
            for _ in range(2)
        ]
        await asyncio.sleep(rng.uniform(0.0, 0.6))
        crew.kill(alive.pop(rng.randrange(2)))
        alive.append(next(names))
        # So many deaths in a row would otherwise be blamed on what was played.
        crew.start(alive[-1], attempts=1000)
    takeovers = 0
    for handle in handles:
        takeovers += await checked(crew, starter, handle)
    assert takeovers, "some were killed while they played"
    context = f"{crew.space}.Talk"
    for role, cost in (("Asker", 5), ("Teller", 3)):
        level = await starter.budgets.level(context, role)
        assert level is not None
        assert level.spent == cost * ROUNDS * len(handles)


async def checked(crew: Crew, starter: pavane.Runtime, handle: SessionHandle) -> int:
    """The session has ended well, and its log and journals have everything once; how often its
    units were taken over."""
    try:
        outcome = await handle.wait(60)
    except TimeoutError:
        (seen,) = await summaries(starter.broker, crew.space, session=handle.id)
        raise AssertionError(f"{seen}\n{crew.logs()}") from None
    assert outcome["Asker"] == outcome["Teller"], "what was heard is what was told"
    assert [value // 1000 for value in outcome["Asker"]] == list(range(ROUNDS))
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert found.faults == [], await told(starter, handle)
    assert found.is_over
    assert found.messages == 2 * ROUNDS
    assert found.charged == 8 * ROUNDS
    assert found.facts == 2 * ROUNDS
    return found.takeovers


async def told(starter: pavane.Runtime, handle: SessionHandle) -> str:
    """The journals of a session and who has taken its units, for whoever looks into a fault."""
    place = handle.place
    found = History(starter.broker).entries(
        namespace=place.namespace, protocol=place.protocol, session=place.session
    )
    entries = [f"{e.role} {e.number} {e.kind} {e.label} {e.name} {e.charge}" async for e in found]
    records = [
        f"{record.sequence} {record.subject.split('.', 2)[2]}"
        async for record in starter.broker.read(place.stream, place.everything)
    ]
    return "\n".join([*entries, *records])


async def test_a49_workers_are_killed_at_random_points(crew: Crew, starter: pavane.Runtime) -> None:
    await killing(crew, starter, kills=3, seed=7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_a49_workers_are_killed_two_hundred_times(
    crew: Crew, starter: pavane.Runtime, seed: int
) -> None:
    """A thousand in all."""
    await killing(crew, starter, kills=200, seed=seed)
