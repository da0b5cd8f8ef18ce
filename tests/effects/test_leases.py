"""Leases: a charge is usually local, and the budget stays exact."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from math import nan
from secrets import token_hex
from typing import Any

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker, Level
from pavane.broker.errors import CounterError, HoldTaken
from pavane.broker.level import LIMIT_MAX, SHARE
from pavane.effects.errors import BudgetExhausted
from pavane.effects.flow.budget import Budgets, flow_counter
from pavane.effects.flow.lease import AHEAD_LIMIT, IDLE, STREAK

ROLE = "Admin"


@pytest.fixture
def context() -> str:
    return f"t{token_hex(6)}.Proto"


@pytest.fixture
async def budgets(broker: Broker) -> AsyncIterator[Budgets]:
    made = Budgets(broker, leases=True)
    yield made
    await made.close()


@pytest.fixture
async def others(broker_url: str) -> AsyncIterator[Budgets]:
    """The same budgets in another process."""
    connection = await connect(broker_url)
    made = Budgets(connection, leases=True)
    yield made
    await made.close()
    await connection.close()


async def raw(broker: Broker, context: str) -> Level:
    level = await broker.level(flow_counter(context, ROLE))
    assert level is not None
    return level


async def drawn_ahead(budgets: Budgets, broker: Broker, context: str) -> int:
    """Charge 1 until there is a lease with something left; how many charges that took."""
    for count in range(1, 100):
        await budgets.charge(context, ROLE, 1)
        if any(hold.drawn > hold.used for hold in (await raw(broker, context)).held):
            return count
    raise AssertionError("never drew ahead")


async def test_a_budget_charged_often_is_charged_locally(
    broker: Broker, budgets: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 1_000_000)
    for _ in range(STREAK + 4):
        await budgets.charge(context, ROLE, 3)
    revisions: set[int] = set()
    for count in range(STREAK + 5, 2000):
        charged = await budgets.charge(context, ROLE, 3)
        assert charged.level.spent == 3 * count
        revisions.add((await raw(broker, context)).revision)
    assert len(revisions) < 20
    level = await budgets.level(context, ROLE)
    assert level is not None
    assert level.spent == 3 * 1999


async def test_what_was_drawn_ahead_comes_back_when_it_is_idle_and_at_the_end(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 10_000)
    count = await drawn_ahead(budgets, broker, context)
    assert (await raw(broker, context)).spent > count
    await asyncio.sleep(3 * IDLE)
    assert (await raw(broker, context)).spent == count
    count += await drawn_ahead(others, broker, context)
    await others.close()
    assert ((await raw(broker, context)).spent, (await raw(broker, context)).held) == (count, ())


async def test_a29_who_would_be_refused_gets_what_another_holds(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 1000)
    count = await drawn_ahead(others, broker, context)
    await budgets.charge(context, ROLE, 1000 - count)
    assert (await raw(broker, context)).spent == 1000
    for each in (budgets, others):
        with pytest.raises(BudgetExhausted):
            await each.charge(context, ROLE, 1)


async def test_a30_a_rotation_ends_leases_at_once(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 10_000)
    await drawn_ahead(budgets, broker, context)
    await others.rotate(context, ROLE)
    await asyncio.sleep(0.05)
    charged = await budgets.charge(context, ROLE, 5)
    assert (charged.level.epoch, charged.level.spent) == (1, 5)
    await budgets.give_back(charged)
    await budgets.close()
    assert (await raw(broker, context)).spent == 0


async def test_a_leased_charge_is_given_back_exactly_also_after_its_lease(
    broker: Broker, budgets: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 100_000)
    count = await drawn_ahead(budgets, broker, context)
    first = await budgets.charge(context, ROLE, 1)
    second = await budgets.charge(context, ROLE, 1)
    await budgets.give_back(first)
    await asyncio.sleep(3 * IDLE)
    assert (await raw(broker, context)).spent == count + 1
    await budgets.give_back(second)
    assert (await raw(broker, context)).spent == count


async def test_a_leased_charge_is_given_back_once(
    broker: Broker, budgets: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 100_000)
    count = await drawn_ahead(budgets, broker, context)
    charged, kept = [await budgets.charge(context, ROLE, 1) for _ in range(2)]
    assert charged.lease is kept.lease is not None
    await asyncio.gather(*(budgets.give_back(charged) for _ in range(5)))
    await budgets.give_back(charged)
    await asyncio.sleep(3 * IDLE)
    await budgets.give_back(charged)
    assert (await raw(broker, context)).spent == count + kept.amount


@pytest.mark.parametrize("cost", [-20, -1, True, 1.0, 0.5, nan, "1", None])
async def test_what_is_no_amount_is_not_charged_to_a_lease(
    broker: Broker, budgets: Budgets, context: str, cost: Any
) -> None:
    await budgets.define(context, ROLE, 100_000)
    count = await drawn_ahead(budgets, broker, context)
    budgets.open_account(context, ROLE, "s.Admin.0")
    kept = await budgets.charge(context, ROLE, 2, account="s.Admin.0")
    with pytest.raises(ValueError, match="is not an amount"):
        await budgets.charge(context, ROLE, cost)
    with pytest.raises(ValueError, match="is not an amount"):
        await budgets.charge(context, ROLE, cost, account="s.Admin.0")
    with pytest.raises(ValueError, match="is not an amount"):
        budgets.take(context, ROLE, cost, "s.Admin.0")
    budgets.settle(kept)
    await budgets.close()
    assert (await raw(broker, context)).spent == count + kept.amount


async def test_a_great_charge_that_hurries_is_charged_all_the_same(
    budgets: Budgets, context: str
) -> None:
    """A thousand times as much, which would be drawn ahead, is more than an amount can be."""
    await budgets.define(context, ROLE, LIMIT_MAX)
    small = 4 * AHEAD_LIMIT
    for _ in range(small):
        await budgets.charge(context, ROLE, 1)
    await budgets.charge(context, ROLE, 2**50)
    level = await budgets.level(context, ROLE)
    assert level is not None
    assert level.spent == small + 2**50


async def test_a_limit_may_come_down_to_what_is_really_spent(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 10_000)
    count = await drawn_ahead(others, broker, context)
    assert (await budgets.define(context, ROLE, count)).limit == count


# keys -----------------------------------------------------------------------------------------


async def test_a_key_charges_once_from_whatever_process(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 10)
    first = await budgets.charge(context, ROLE, 6, key="s1.Admin.0.1")
    await others.charge(context, ROLE, 6, key="s1.Admin.0.1")
    again = await budgets.charge(context, ROLE, 6, key="s1.Admin.0.1")
    assert first.level.spent == again.level.spent == 6
    with pytest.raises(BudgetExhausted):
        await budgets.charge(context, ROLE, 6, key="s1.Admin.0.2")
    for _ in range(2):
        await budgets.give_back(first)
        assert (await raw(broker, context)).spent == 0


async def test_a_settled_key_is_forgotten_and_stays_charged(
    broker: Broker, budgets: Budgets, context: str
) -> None:
    await budgets.define(context, ROLE, 100)
    for number in range(10):
        budgets.settle(await budgets.charge(context, ROLE, 5, key=f"s.{number}"))
    await asyncio.sleep(0.3)
    level = await raw(broker, context)
    assert (level.spent, level.held) == (50, ())


@pytest.mark.parametrize("cost", [0, 3, 10])
async def test_another_amount_under_the_same_key_is_refused(
    broker: Broker, budgets: Budgets, others: Budgets, context: str, cost: int
) -> None:
    await budgets.define(context, ROLE, 100)
    first = await budgets.charge(context, ROLE, 6, key="order-7")
    for each in (budgets, others):
        with pytest.raises(CounterError, match=f"another amount than {cost} .* key order-7"):
            await each.charge(context, ROLE, cost, key="order-7")
    budgets.settle(first)
    await asyncio.sleep(0.3)
    assert ((await raw(broker, context)).spent, (await raw(broker, context)).held) == (6, ())


async def test_of_a_key_with_turns_the_later_may_charge_another_amount(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    await budgets.define_leakage(context, "near", 100)
    await budgets.leak(context, "near", 6, key="s1.Admin.0.1", turn=1)
    later = await others.leak(context, "near", 2, key="s1.Admin.0.1", turn=2)
    others.settle(later)
    await asyncio.sleep(0.3)
    level = await budgets.leakage(context, "near")
    assert level is not None
    assert level.spent == 2


@pytest.mark.parametrize("pause", [0.0, 0.3])
async def test_a_settled_charge_is_given_back_once_whoever_has_it(
    broker: Broker, budgets: Budgets, context: str, pause: float
) -> None:
    """Before its settlement is written, and after."""
    await budgets.define(context, ROLE, 100)
    first = await budgets.charge(context, ROLE, 6, key="order-7")
    again = await budgets.charge(context, ROLE, 6, key="order-7")
    await budgets.charge(context, ROLE, 20)
    budgets.settle(first)
    await asyncio.sleep(pause)
    await budgets.give_back(first)
    await budgets.give_back(again)
    assert (await raw(broker, context)).spent == 20
    await budgets.charge(context, ROLE, 6, key="order-7")
    await asyncio.sleep(0.3)
    assert (await raw(broker, context)).spent == 26


async def test_an_account_goes_on_in_another_process_and_loses_nothing(
    broker: Broker, budgets: Budgets, others: Budgets, context: str
) -> None:
    """The first process is killed when it has drawn ahead, and its last charge is not stored."""
    await budgets.define(context, ROLE, 100_000)
    budgets.open_account(context, ROLE, "s.Admin.0")
    count = 0
    while (await raw(broker, context)).spent <= 10 * count:
        # Quickly, or there is no reason to draw ahead; a busy machine may need a second try.
        for _ in range(9):
            await budgets.charge(context, ROLE, 10, account="s.Admin.0")
        count += 9
    stored = 10 * (count - 1)
    others.open_account(context, ROLE, "s.Admin.0", used=stored)
    charged = [await others.charge(context, ROLE, 10, account="s.Admin.0") for _ in range(100)]
    with pytest.raises(HoldTaken):
        while True:
            await budgets.charge(context, ROLE, 10, account="s.Admin.0")
    for each in charged:
        others.settle(each)
    await others.close_account(context, ROLE, "s.Admin.0")
    level = await raw(broker, context)
    assert (level.spent, level.held) == (stored + 1000, ())


# processes ------------------------------------------------------------------------------------

SENDERS = """
import asyncio, random, sys
from pavane.broker.connect import connect
from pavane.effects.flow.budget import Budgets
from pavane.effects.errors import BudgetExhausted

async def main() -> None:
    url, context, senders, seed = sys.argv[1:]
    broker = await connect(url)
    budgets = Budgets(broker, leases=True)
    draw = random.Random(seed)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    async def sender() -> int:
        charged = 0
        while True:
            try:
                await budgets.charge(context, "Admin", 1)
            except BudgetExhausted:
                return charged
            charged += 1
            if draw.random() < 0.01:
                await asyncio.sleep(draw.random() / 50)
    print(sum(await asyncio.gather(*(sender() for _ in range(int(senders))))), flush=True)
    await budgets.close()
    await broker.close()

asyncio.run(main())
"""


async def start_senders(
    url: str, context: str, senders: int
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SENDERS, url, context, str(senders), token_hex(4)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    assert process.stdout is not None
    return process, process.stdout


@pytest.mark.parametrize("limit", [2_003, pytest.param(200_003, marks=pytest.mark.long)])
async def test_a29_two_hundred_senders_in_four_processes_use_up_every_unit(
    nats_url: str, context: str, limit: int
) -> None:
    broker = await connect(nats_url)
    await Budgets(broker).define(context, ROLE, limit)
    started = [await start_senders(nats_url, context, 50) for _ in range(4)]
    for _, out in started:
        assert await out.readline() == b"ready\n"
    results = await asyncio.gather(*(process.communicate(b"go\n") for process, _ in started))
    assert [process.returncode for process, _ in started] == [0, 0, 0, 0]
    assert sum(int(out) for out, _ in results) == limit
    level = await raw(broker, context)
    assert (level.spent, level.held) == (limit, ())
    await broker.close()


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_a_process_killed_with_a_lease_costs_a_sixteenth_and_never_overspends(
    nats_url: str, context: str, times: int
) -> None:
    broker = await connect(nats_url)
    budgets = Budgets(broker, leases=True)
    for _ in range(times):
        limit = 100_000_000
        await budgets.define(context, ROLE, limit)
        process, out = await start_senders(nats_url, context, 4)
        assert await out.readline() == b"ready\n"
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        await asyncio.sleep(0.2 + random.random() / 5)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        left = limit - (await raw(broker, context)).spent
        assert left >= limit * (SHARE - 1) // SHARE
        await budgets.charge(context, ROLE, left)
        with pytest.raises(BudgetExhausted):
            await budgets.charge(context, ROLE, 1)
        assert (await raw(broker, context)).spent == limit
        assert (await budgets.rotate(context, ROLE)).spent == 0
    await budgets.close()
    await broker.close()
