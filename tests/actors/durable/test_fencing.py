"""Marks on the fence of a unit: whoever was given it last keeps it, however late the others come."""

from __future__ import annotations

import asyncio

import pytest

from pavane.actors.durable import fencing
from pavane.actors.durable.assignment import Assignment
from pavane.actors.durable.errors import Overtaken
from pavane.actors.durable.fencing import Taker
from pavane.actors.durable.names import captured, stream
from pavane.actors.durable.records import Taken, unpack_word
from pavane.broker.contract import Broker
from pavane.broker.errors import Fenced
from pavane.effects.identity import Identity
from pavane.effects.journal.entry import Draft
from pavane.effects.journal.head import unpack
from pavane.effects.journal.history.reading import History
from pavane.effects.journal.journal import Journal
from pavane.effects.journal.places import HEADS, head_subject, journal_subject
from pavane.effects.keys import Signer


@pytest.fixture
async def unit(broker: Broker, unique: str) -> Assignment:
    await broker.ensure_stream(stream(unique), captured(unique))
    return Assignment(
        namespace=unique, protocol="Shop", fingerprint=b"f", session="s1", role="Seller"
    )


async def marks(broker: Broker, unit: Assignment) -> list[Taken]:
    found = broker.read(unit.place.stream, unit.place.fence(unit.role, unit.start))
    words = [unpack_word(record.payload) async for record in found]
    return [word for word in words if isinstance(word, Taken)]


async def test_a_later_delivery_takes_a_unit_and_an_earlier_one_does_not(
    broker: Broker, unit: Assignment
) -> None:
    far = await fencing.take(broker, unit, Taker("far", (1, 1)))
    near = await fencing.take(broker, unit, Taker("near", (1, 2)))
    assert not await fencing.is_held(broker, unit, far)
    for late in (Taker("far", (1, 1)), Taker("farther", (0, 9))):
        with pytest.raises(Overtaken) as caught:
            await fencing.take(broker, unit, late)
        assert caught.value.code == "PV588"
    await fencing.check(broker, unit, near)
    with pytest.raises(Fenced):
        await fencing.check(broker, unit, far)
    again = await fencing.take(broker, unit, Taker("put back", (2, 1)))
    assert [m.worker for m in await marks(broker, unit)] == ["far", "near", "put back"]
    assert [m.incarnation for m in await marks(broker, unit)] == [1, 2, 3]
    assert again.taken.incarnation == 3


async def test_of_two_that_take_a_unit_at_once_the_later_delivery_has_it(
    broker: Broker, unit: Assignment
) -> None:
    """Whichever of the marks comes first: both have read the same."""
    takers = [Taker(f"worker {number}", (1, number)) for number in range(1, 9)]
    ends = await asyncio.gather(
        *(fencing.take(broker, unit, taker) for taker in takers), return_exceptions=True
    )
    assert all(isinstance(end, fencing.Hold | Overtaken) for end in ends), ends
    last = ends[-1]
    assert isinstance(last, fencing.Hold)
    assert await fencing.is_held(broker, unit, last)
    found = await marks(broker, unit)
    assert [m.delivery for m in found] == sorted(m.delivery for m in found)


async def test_who_leaves_a_unit_says_so_unless_it_is_anothers(
    broker: Broker, unit: Assignment
) -> None:
    first = await fencing.take(broker, unit, Taker("first", (1, 1)))
    await fencing.leave(broker, unit, first, yielding=True)
    second = await fencing.take(broker, unit, Taker("second", (1, 2)))
    await fencing.leave(broker, unit, first, yielding=False)
    found = await marks(broker, unit)
    assert [(m.incarnation, m.left, m.yielded) for m in found] == [
        (1, False, 0), (1, True, 1), (2, False, 1)
    ]  # fmt: skip
    assert fencing.lost(found) == 1, "of which nothing is known"
    assert await fencing.is_held(broker, unit, second)


async def test_without_a_queue_the_last_one_has_the_unit(broker: Broker, unit: Assignment) -> None:
    await fencing.take(broker, unit, Taker("worker", (1, 3)))
    held = await fencing.take(broker, unit, Taker("by hand"))
    assert (held.taken.put, held.taken.delivery) == (1, 3), "whoever was overtaken still is"
    with pytest.raises(Overtaken):
        await fencing.take(broker, unit, Taker("worker", (1, 2)))


async def test_a_mark_says_which_item_its_taker_was_given(broker: Broker, unit: Assignment) -> None:
    assert await fencing.item_of(broker, unit) == 0
    await fencing.take(broker, unit, Taker("worker", (1, 1), 7))
    assert await fencing.item_of(broker, unit) == 7


async def test_a_journal_is_not_taken_by_who_has_lost_the_unit(
    broker: Broker, unit: Assignment
) -> None:
    who = Identity(unit.namespace, unit.protocol, unit.session, unit.role, None)
    far = await fencing.take(broker, unit, Taker("far", (1, 1)))
    near = await fencing.take(broker, unit, Taker("near", (1, 2)))
    journals = [Journal(broker, Signer()) for _ in range(2)]
    await journals[1].take_over(who, "near", lambda: fencing.check(broker, unit, near))
    with pytest.raises(Fenced):
        await journals[0].take_over(who, "far", lambda: fencing.check(broker, unit, far))
    await journals[1].add(who, [Draft("fact", "still hers", 1, "", "")])
    await journals[1].close()
    found = History(broker).entries(namespace=unit.namespace)
    assert [e.name async for e in found] == ["near", "still hers"]


async def test_the_head_of_a_journal_never_goes_back(broker: Broker, unit: Assignment) -> None:
    """What a worker says late of how far it had come does not stand after what its successor says."""
    who = Identity(unit.namespace, unit.protocol, unit.session, unit.role, None)
    far, near = Journal(broker, Signer()), Journal(broker, Signer())
    await far.add(who, [Draft("fact", "one", 1, "", "")])
    await near.add(who, [Draft("fact", "two", 2, "", "")])
    await near.finish(who)
    await far.finish(who)
    subject = journal_subject(who)
    heads = [unpack(subject, r.payload) async for r in broker.read(HEADS, head_subject(who))]
    assert [(head.count, head.closed) for head in heads] == [(0, False), (2, True)]
    assert [e.name async for e in History(broker).entries(namespace=unit.namespace)] == [
        "one",
        "two",
    ]
