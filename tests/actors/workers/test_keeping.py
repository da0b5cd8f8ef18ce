"""Leases: renewed in time, and never believed in again once they may have been lost."""

from __future__ import annotations

import asyncio

from pavane.actors.workers.keeping import Keeper
from pavane.broker.contract import Broker, WorkItem


async def taken(broker: Broker, queue: str, timeout: float = 5.0) -> WorkItem:
    item = await broker.take(queue, timeout=timeout)
    assert item is not None
    return item


async def test_a_kept_item_stays_and_one_dropped_goes(broker: Broker, unique: str) -> None:
    await broker.ensure_queue(unique, lease=0.3)
    for payload in (b"kept", b"dropped"):
        await broker.put(unique, payload)
    keeper = Keeper(0.3)
    first, second = await taken(broker, unique), await taken(broker, unique)
    kept = keeper.keep(first)
    keeper.drop(keeper.keep(second))
    again = await taken(broker, unique)
    assert again.payload == b"dropped"
    await again.done()
    assert await broker.take(unique, timeout=0.5) is None
    assert kept.held
    await first.done()
    keeper.close()


async def test_a_lease_that_was_missed_once_is_lost_for_good(broker: Broker, unique: str) -> None:
    """As for a process that was stopped: the item may have been another's in between."""
    time = 0.0

    def clock() -> float:
        return time

    await broker.ensure_queue(unique, lease=30.0)
    await broker.put(unique, b"x")
    keeper = Keeper(30.0, clock)
    kept = keeper.keep(await taken(broker, unique))
    time = 20.0
    await kept.renew()
    time = 40.0
    assert kept.held, "renewed at 20"
    time = 70.0
    await kept.renew()
    assert not kept.held
    time = 70.1
    await kept.renew()
    assert not kept.held
    await kept.item.done()
    keeper.close()


async def test_many_items_are_kept_together(broker: Broker, unique: str) -> None:
    await broker.ensure_queue(unique, lease=0.9)
    for number in range(300):
        await broker.put(unique, str(number).encode())
    keeper = Keeper(0.9)
    kept = [keeper.keep(await taken(broker, unique)) for _ in range(300)]
    await asyncio.sleep(1.2)
    assert await broker.take(unique, timeout=0.01) is None
    assert all(k.held for k in kept)
    await asyncio.gather(*(k.item.done() for k in kept))
    keeper.close()


async def test_a_lease_that_has_become_shorter_is_kept_to_at_once(
    broker: Broker, unique: str
) -> None:
    await broker.ensure_queue(unique, lease=30.0)
    await broker.put(unique, b"x")
    keeper = Keeper(30.0, ask=lambda: broker.lease(unique))
    kept = keeper.keep(await taken(broker, unique))
    await asyncio.sleep(0)
    await broker.ensure_queue(unique, lease=0.6)
    await keeper.look()
    assert await broker.take(unique, timeout=1.5) is None
    assert kept.held
    assert (keeper.lease, keeper.longest) == (0.6, 0.6)
    await broker.ensure_queue(unique, lease=20.0)
    await keeper.look()
    assert (keeper.lease, keeper.longest) == (0.6, 20.0), "topics have it when they are taken from"
    await kept.item.done()
    keeper.close()


async def test_what_was_not_renewed_within_the_shorter_lease_is_lost(
    broker: Broker, unique: str
) -> None:
    time = 0.0
    await broker.ensure_queue(unique, lease=30.0)
    await broker.put(unique, b"x")
    keeper = Keeper(30.0, lambda: time, lambda: broker.lease(unique))
    kept = keeper.keep(await taken(broker, unique))
    time = 15.0
    assert kept.held
    await broker.ensure_queue(unique, lease=10.0)
    await keeper.look()
    assert not kept.held
    await kept.item.done()
    keeper.close()


async def test_items_are_renewed_though_nobody_says_what_the_lease_is(
    broker: Broker, unique: str
) -> None:
    async def silent() -> float | None:
        await asyncio.sleep(60)
        raise AssertionError("it waits no longer than it can")

    await broker.ensure_queue(unique, lease=0.6)
    await broker.put(unique, b"x")
    keeper = Keeper(0.6, ask=silent)
    kept = keeper.keep(await taken(broker, unique))
    assert await broker.take(unique, timeout=1.5) is None
    assert kept.held
    await kept.item.done()
    keeper.close()
