"""Bounded counters, on every driver."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from math import inf, nan
from typing import Any

import pytest

from pavane.broker.contract import Broker, Claim, Hold, Level
from pavane.broker.errors import (
    BadSubject,
    EpochOver,
    HoldTaken,
    LimitExceeded,
    NotSpent,
    UnknownCounter,
)


@pytest.fixture
def counter(unique: str) -> str:
    return f"{unique}.market.Seller"


def facts(level: Level | None) -> tuple[int, int, int]:
    assert level is not None
    return level.limit, level.spent, level.epoch


async def test_spending_up_to_the_limit_and_not_one_more(broker: Broker, counter: str) -> None:
    assert await broker.level(counter) is None
    assert facts(await broker.set_limit(counter, 500)) == (500, 0, 0)
    assert facts(await broker.spend(counter, 200)) == (500, 200, 0)
    assert facts(await broker.spend(counter, 300)) == (500, 500, 0)
    with pytest.raises(LimitExceeded) as caught:
        await broker.spend(counter, 1)
    assert (caught.value.limit, caught.value.spent, caught.value.amount) == (500, 500, 1)
    assert facts(await broker.spend(counter, 0)) == (500, 500, 0)
    assert facts(await broker.level(counter)) == (500, 500, 0)


async def test_an_unknown_counter_is_refused(broker: Broker, counter: str) -> None:
    with pytest.raises(UnknownCounter):
        await broker.spend(counter, 1)
    with pytest.raises(UnknownCounter):
        await broker.give_back(counter, 1, epoch=0)
    with pytest.raises(UnknownCounter):
        await broker.rotate(counter)


async def test_giving_back_makes_room_and_never_too_much(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 10)
    await broker.spend(counter, 10)
    assert facts(await broker.give_back(counter, 4, epoch=0)) == (10, 6, 0)
    assert facts(await broker.spend(counter, 4)) == (10, 10, 0)
    with pytest.raises(NotSpent):
        await broker.give_back(counter, 11, epoch=0)
    assert facts(await broker.level(counter)) == (10, 10, 0)


async def test_rotation_begins_an_epoch_with_nothing_spent(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 10)
    await broker.spend(counter, 10)
    assert facts(await broker.rotate(counter)) == (10, 0, 1)
    assert facts(await broker.spend(counter, 3)) == (10, 3, 1)
    assert facts(await broker.rotate(counter)) == (10, 0, 2)


async def test_a_limit_changes_but_not_below_what_is_spent(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 10)
    await broker.spend(counter, 6)
    assert facts(await broker.set_limit(counter, 6)) == (6, 6, 0)
    with pytest.raises(LimitExceeded):
        await broker.set_limit(counter, 5)
    assert facts(await broker.set_limit(counter, 7)) == (7, 6, 0)


async def test_the_revision_changes_with_every_write(broker: Broker, counter: str) -> None:
    revisions = [(await broker.set_limit(counter, 10)).revision]
    revisions += [(await broker.spend(counter, 1)).revision for _ in range(3)]
    revisions += [(await broker.rotate(counter)).revision]
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize("amount", [-1, 2**53, True, 1.0, 1.5, nan, inf, "1", None])
async def test_what_is_no_amount_is_refused(broker: Broker, counter: str, amount: Any) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        await broker.set_limit(counter, amount)
    assert await broker.level(counter) is None
    await broker.set_limit(counter, 10)
    await broker.reserve(counter, claim(used=0, need=3))
    refused = await asyncio.gather(
        broker.set_limit(counter, amount),
        broker.spend(counter, amount),
        broker.give_back(counter, amount, epoch=0),
        broker.give_back(counter, amount, epoch=7),
        *(broker.reserve(counter, claim(who, used=amount, need=1)) for who in "ab"),
        *(broker.reserve(counter, claim(who, used=0, need=amount)) for who in "ab"),
        *(broker.reserve(counter, claim(who, used=0, need=1, ahead=amount)) for who in "ab"),
        *(broker.release(counter, who, owner="p", epoch=0, used=amount) for who in "ab"),
        broker.spend(counter, 1),
        return_exceptions=True,
    )
    assert [type(each) for each in refused] == [ValueError] * 12 + [Level], "the one beside passes"
    assert facts(await broker.level(counter)) == (10, 4, 0)


@pytest.mark.parametrize(
    "window", [-60, -0.5, nan, inf, 1e-9, 5e-324, 2**53, 10**400, True, False, "60"]
)
async def test_what_is_no_window_is_refused(broker: Broker, counter: str, window: Any) -> None:
    with pytest.raises(ValueError, match="is not a window"):
        await broker.set_limit(counter, 10, window=window)
    assert await broker.level(counter) is None
    await broker.set_limit(counter, 10, window=60)
    await broker.spend(counter, 4)
    with pytest.raises(ValueError, match="is not a window"):
        await broker.set_limit(counter, 10, window=window)
    level = await broker.spend(counter, 1)
    assert (facts(level), level.window) == ((10, 5, 0), 60.0)


async def test_a_counter_has_the_name_of_a_subject(broker: Broker) -> None:
    for name in ("", "a..b", "a.*", "$x", "a b"):
        with pytest.raises(BadSubject):
            await broker.set_limit(name, 1)
        with pytest.raises(BadSubject):
            await broker.level(name)


async def test_what_another_gives_back_can_be_spent(
    broker: Broker, other: Broker, counter: str
) -> None:
    """Nobody is refused over a level that is known from before."""
    await broker.set_limit(counter, 5)
    await broker.spend(counter, 5)
    await other.give_back(counter, 5, epoch=0)
    assert facts(await broker.spend(counter, 5)) == (5, 5, 0)
    await other.set_limit(counter, 6)
    assert facts(await broker.spend(counter, 1)) == (6, 6, 0)


async def test_many_tasks_on_two_connections_never_overspend(
    broker: Broker, other: Broker, counter: str
) -> None:
    await broker.set_limit(counter, 300)
    outcomes = await asyncio.gather(
        *((broker, other)[n % 2].spend(counter, 1) for n in range(500)), return_exceptions=True
    )
    passed = [level.spent for level in outcomes if isinstance(level, Level)]
    assert sorted(passed) == list(range(1, 301))
    assert sum(isinstance(outcome, LimitExceeded) for outcome in outcomes) == 200
    assert facts(await broker.level(counter)) == (300, 300, 0)


async def test_a_refused_one_does_not_stop_those_beside_it(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 10)
    first, second, third = await asyncio.gather(
        broker.spend(counter, 8),
        broker.spend(counter, 5),
        broker.spend(counter, 2),
        return_exceptions=True,
    )
    assert isinstance(first, Level)
    assert isinstance(second, LimitExceeded)
    assert isinstance(third, Level)
    assert facts(await broker.level(counter)) == (10, 10, 0)


SENDERS = """
import asyncio, sys
from pavane.broker.connect import connect
from pavane.broker.errors import LimitExceeded

async def main(url, counter):
    broker = await connect(url)
    async def sender():
        spent = 0
        for _ in range(20):
            await broker.spend(counter, 1)
            spent += 1
        return spent
    print(sum(await asyncio.gather(*(sender() for _ in range(50)))))
    await broker.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a29_two_hundred_senders_in_four_processes_are_counted_exactly(
    nats_url: str, unique: str
) -> None:
    from pavane.broker.connect import connect

    broker = await connect(nats_url)
    counter = f"{unique}.shared"
    await broker.set_limit(counter, 4000)
    began = time.perf_counter()
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDERS, nats_url, counter, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    assert [int(output) for output in outputs] == [1000] * 4
    assert facts(await broker.level(counter)) == (4000, 4000, 0)
    assert time.perf_counter() - began < 20
    with pytest.raises(LimitExceeded):
        await broker.spend(counter, 1)
    await broker.close()


async def test_a30_what_an_epoch_spent_is_not_given_back_to_the_next(
    broker: Broker, counter: str
) -> None:
    await broker.set_limit(counter, 10)
    await broker.spend(counter, 4)
    await broker.rotate(counter)
    await broker.spend(counter, 3)
    assert facts(await broker.give_back(counter, 4, epoch=0)) == (10, 3, 1)
    assert facts(await broker.give_back(counter, 1, epoch=1)) == (10, 2, 1)


async def test_a_window_begins_the_next_epoch_by_itself(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 10, window=0.3)
    await broker.spend(counter, 10)
    with pytest.raises(LimitExceeded):
        await broker.spend(counter, 1)
    await asyncio.sleep(0.35)
    assert facts(await broker.level(counter)) == (10, 0, 1)
    assert facts(await broker.spend(counter, 4)) == (10, 4, 1)
    assert facts(await broker.set_limit(counter, 20)) == (20, 4, 1)
    await asyncio.sleep(0.7)
    assert facts(await broker.give_back(counter, 4, epoch=1)) == (20, 0, 2)
    assert facts(await broker.set_limit(counter, 20, window=0)) == (20, 0, 2)
    await broker.spend(counter, 7)
    await asyncio.sleep(0.35)
    assert facts(await broker.level(counter)) == (20, 7, 2)


# reservations -------------------------------------------------------------------------------


def claim(account: str = "a", owner: str = "p", *, used: int, need: int, **more: Any) -> Claim:
    return Claim(account, owner, more.pop("epoch", 0), used, need, **more)


async def test_a_reservation_is_drawn_once_however_often_it_is_claimed(
    broker: Broker, other: Broker, counter: str
) -> None:
    await broker.set_limit(counter, 10)
    assert facts(await broker.reserve(counter, claim(used=0, need=4))) == (10, 4, 0)
    again = await other.reserve(counter, claim(owner="q", used=0, need=4, take_over=True))
    assert facts(again) == (10, 4, 0)
    assert again.held == (Hold("a", "q", 4, 4),)
    with pytest.raises(HoldTaken):
        await broker.reserve(counter, claim(used=4, need=1))
    assert facts(await other.reserve(counter, claim(owner="q", used=4, need=6))) == (10, 10, 0)
    with pytest.raises(LimitExceeded) as caught:
        await other.reserve(counter, claim(owner="q", used=10, need=1))
    assert (caught.value.spent, caught.value.amount) == (10, 1)


async def test_a_release_gives_the_rest_back_once_and_to_its_owner_only(
    broker: Broker, other: Broker, counter: str
) -> None:
    await broker.set_limit(counter, 1000)
    level = await broker.reserve(counter, claim(used=5, need=10, ahead=10_000))
    assert (level.spent, level.held) == (71, (Hold("a", "p", 76, 15),))
    assert (await other.release(counter, "a", owner="q", epoch=0, used=5)).spent == 71
    assert (await other.release(counter, "b", owner="p", epoch=0, used=5)).spent == 71
    for _ in range(2):
        level = await broker.release(counter, "a", owner="p", epoch=0, used=15)
        assert (level.spent, level.held) == (10, ())
    assert (await broker.reserve(counter, claim(used=15, need=3))).spent == 13


async def test_a_released_account_is_closed_to_owners_of_earlier_turns(
    broker: Broker, other: Broker, counter: str
) -> None:
    await broker.set_limit(counter, 1000)
    await broker.reserve(counter, claim(owner="1/p", used=0, need=7))
    await other.reserve(counter, claim(owner="2/q", used=7, need=7, take_over=True))
    level = await other.release(counter, "a", owner="2/q", epoch=0, used=14)
    assert (level.spent, level.held) == (14, (Hold("a", "2/", 14, 14),))
    for take_over in (False, True):
        with pytest.raises(HoldTaken):
            stale = claim(owner="1/p", used=7, need=7, take_over=take_over)
            await broker.reserve(counter, stale)
    assert (await other.reserve(counter, claim(owner="2/q", used=14, need=7))).spent == 21
    level = await other.release(counter, "a", owner="2/q", epoch=0, used=14)
    for number in range(64):
        assert level.held[0].account == "a"
        name = f"b{number}"
        await other.reserve(counter, claim(account=name, owner="2/q", used=0, need=1))
        level = await other.release(counter, name, owner="2/q", epoch=0, used=1)
    assert (level.spent, len(level.held), level.held[0].account) == (78, 64, "b0")


async def test_nobody_draws_ahead_near_the_limit(broker: Broker, counter: str) -> None:
    await broker.set_limit(counter, 100)
    await broker.spend(counter, 80)
    level = await broker.reserve(counter, claim(used=0, need=5, ahead=50))
    assert level.held[0].drawn == 5


async def test_a_rotation_ends_what_is_held(broker: Broker, other: Broker, counter: str) -> None:
    await broker.set_limit(counter, 100)
    await broker.reserve(counter, claim(used=0, need=50))
    level = await other.rotate(counter)
    assert (level.spent, level.held) == (0, ())
    assert (await broker.release(counter, "a", owner="p", epoch=0, used=20)).spent == 0
    with pytest.raises(EpochOver) as caught:
        await broker.reserve(counter, claim(used=20, need=1))
    assert caught.value.epoch == 1
    assert (await broker.reserve(counter, claim(epoch=1, used=0, need=1))).spent == 1
