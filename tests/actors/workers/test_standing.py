"""Where instances stand, told from the log alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import pavane
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place
from pavane.actors.durable.records import Cancelled, Done, Started, Tallied, pack
from pavane.actors.durable.start import prepare
from pavane.actors.standin import StandIn
from pavane.actors.workers.blocks import LARGEST, SHARES, blocks
from pavane.actors.workers.overview import history, summaries
from pavane.actors.workers.standing import stands
from pavane.broker.contract import Broker

GUIDE = Path(__file__).parents[2] / "data" / "guide"
COUNTS = {5: {"Signers": 5, "threshold": 3}, 6: {"N": 12}}


@pytest.mark.parametrize("number", range(1, 17))
async def test_who_has_played_to_the_end_stands_there(number: int) -> None:
    choreography = pavane.load_all(GUIDE / f"{number:03}.choreo")[0]
    bindings = COUNTS.get(number, {})
    async with pavane.for_testing() as runtime:
        roles = dict.fromkeys(choreography.roles, StandIn(number))
        outcome = await runtime.run(choreography, roles, bindings=bindings, durable=True)
        (seen,) = await summaries(runtime.broker, choreography.namespace or "default")
        assert (seen.session, seen.state) == (outcome.session, "done")
        records = await history(runtime.broker, seen)
    projection = choreography.compiled.project(bindings)
    found = stands(projection, records)
    assert {stand.name for stand in found} == outcome.tallies.keys()
    assert [stand for stand in found if not stand.over] == []
    # Cut anywhere, the log shows nobody further than they had come.
    half = stands(projection, records[: len(records) // 2])
    assert all(a.sent <= b.sent for a, b in zip(half, found, strict=True))
    assert sum(s.sent + s.received for s in half) < sum(s.sent + s.received for s in found)


def test_families_are_divided_into_blocks_that_move_together() -> None:
    assert list(blocks(None)) == [(0, 1)]
    assert list(blocks(3)) == [(0, 1), (1, 2), (2, 3)]
    for size in (1, 64, 65, 1000, 10_000):
        found = list(blocks(size))
        assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
        assert found[-1][1] == size
        assert len(found) <= SHARES
        assert max(stop - start for start, stop in found) <= LARGEST
    assert len(list(blocks(10_000))) == SHARES


async def test_who_was_cancelled_after_his_last_step_has_ended_all_the_same(
    broker: Broker, unique: str
) -> None:
    """As who waits for the result is told."""
    place = Place(unique, "Ping", "s")
    await prepare(broker, unique)
    begun = Started(b"", {}, [("A", 0, 1), ("B", 0, 1)])
    words = (
        (place.operator, begun),
        (place.word("A", 0), Done({0: Tallied()})),
        (place.operator, Cancelled("too late")),
        (place.word("B", 0), Done({0: Tallied()})),
    )
    for subject, word in words:
        await broker.append(place.stream, subject, pack(word))
    (seen,) = await summaries(broker, unique, session="s")
    assert (await SessionHandle(broker, place).status()).state == seen.state == "done"
