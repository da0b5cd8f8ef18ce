from __future__ import annotations

import asyncio
import os
import sys
from math import inf, nan
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast

import pytest

from pavane.broker.contract import Broker, Level
from pavane.broker.errors import BrokerError, LimitExceeded, NotConnected, Unconfirmed
from pavane.broker.level import LIMIT_MAX
from pavane.effects.errors import (
    BudgetExhausted,
    LeakageExhausted,
    ReceiptRefused,
    UnknownBudget,
)
from pavane.effects.flow.budget import Budgets
from pavane.effects.flow.keyed import PAUSE
from pavane.effects.flow.lease import STREAK
from pavane.effects.flow.receipt import ReceiptChain

if TYPE_CHECKING:
    from .conftest import Desk


@pytest.fixture
def context() -> str:
    return f"t{token_hex(6)}.Proto"


async def test_a28_spent_and_cost_up_to_the_limit(broker: Broker, context: str) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 300)
    charged = await budgets.charge(context, "Admin", 299)
    assert (charged.amount, charged.level.spent) == (299, 299)
    with pytest.raises(BudgetExhausted):
        await budgets.charge(context, "Admin", 2)
    assert (await budgets.charge(context, "Admin", 1)).level.spent == 300
    with pytest.raises(BudgetExhausted):
        await budgets.charge(context, "Admin", 1)


async def test_budgets_are_by_context_and_role(broker: Broker, context: str) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 10)
    await budgets.define(f"{context}.s1", "Admin", 20)
    await budgets.define_leakage(context, "Admin", 30)
    await budgets.charge(context, "Admin", 10)
    await budgets.charge(f"{context}.s1", "Admin", 20)
    await budgets.leak(context, "Admin", 30)
    with pytest.raises(UnknownBudget):
        await budgets.charge(context, "User", 1)
    with pytest.raises(UnknownBudget):
        await budgets.rotate(context, "User")


async def test_a_limit_is_not_set_below_what_is_spent(broker: Broker, context: str) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 10)
    await budgets.charge(context, "Admin", 8)
    with pytest.raises(LimitExceeded):
        await budgets.define(context, "Admin", 7)
    assert (await budgets.define(context, "Admin", 8)).spent == 8


async def test_a30_a_rotation_resets_spent_and_never_goes_back(
    broker: Broker, context: str
) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 10)
    before = await budgets.charge(context, "Admin", 3)
    assert (await budgets.rotate(context, "Admin")).epoch == 1
    after = await budgets.charge(context, "Admin", 4)
    assert (after.level.epoch, after.level.spent) == (1, 4)
    await budgets.give_back(before)
    level = await budgets.level(context, "Admin")
    assert level is not None
    assert (level.epoch, level.spent) == (1, 4)
    await budgets.give_back(after)
    assert (await budgets.rotate(context, "Admin")).epoch == 2


async def test_a30_a_rotation_invalidates_old_receipts(desk: Desk) -> None:
    context = f"{desk.namespace}.Proto"
    await desk.fund(10)
    chain = ReceiptChain(desk.signer, "w")
    charged = await desk.budgets.charge(context, "Admin", 10)
    old = chain.issue(context, "Admin", charged.level.epoch, cost=10, spent=10, step=1)

    async def total() -> int:
        return await desk.budgets.verify(
            [old], context, "Admin", writer="w", signers=[desk.signer.public]
        )

    assert await total() == 10
    await desk.budgets.rotate(context, "Admin")
    with pytest.raises(ReceiptRefused, match="epoch"):
        await total()


async def test_a31_more_receipts_than_charges_are_refused(desk: Desk) -> None:
    context = f"{desk.namespace}.Proto"
    await desk.fund(10)
    receipt = ReceiptChain(desk.signer, "w").issue(context, "Admin", 0, cost=5, spent=5, step=1)
    with pytest.raises(ReceiptRefused, match="0 only"):
        await desk.budgets.verify(
            [receipt], context, "Admin", writer="w", signers=[desk.signer.public]
        )


async def test_a_charge_is_given_back_exactly(broker: Broker, context: str) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 10)
    kept = await budgets.charge(context, "Admin", 3)
    await budgets.give_back(await budgets.charge(context, "Admin", 7))
    level = await budgets.level(context, "Admin")
    assert level is not None
    assert level.spent == kept.amount == 3


async def test_a_charge_is_given_back_once(broker: Broker, context: str) -> None:
    """Again, or twice at the same time, would give back what another was charged."""
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 100)
    await budgets.define_leakage(context, "near", 100)
    for charge, look in ((budgets.charge, budgets.level), (budgets.leak, budgets.leakage)):
        who = "Admin" if charge == budgets.charge else "near"
        first, kept = await charge(context, who, 30), await charge(context, who, 30)
        await asyncio.gather(*(budgets.give_back(first) for _ in range(5)))
        await budgets.give_back(first)
        level = await look(context, who)
        assert level is not None
        assert level.spent == kept.amount == 30


class Cut:
    """A broker that fails to give back, in the way of `error`."""

    def __init__(self, broker: Broker, error: BrokerError) -> None:
        self._broker = broker
        self.error: BrokerError | None = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def give_back(self, counter: str, amount: int, *, epoch: int) -> Level:
        if self.error is not None:
            raise self.error
        return await self._broker.give_back(counter, amount, epoch=epoch)


@pytest.mark.parametrize("key", ["", "order-7"])
@pytest.mark.parametrize(
    ("error", "left"),
    [(NotConnected("nats://127.0.0.1:1", "cut"), 1), (Unconfirmed("give_back", 1.0), 8)],
)
async def test_what_failed_to_be_given_back_can_be_given_back_if_it_surely_was_not(
    broker: Broker, context: str, error: BrokerError, left: int, key: str
) -> None:
    cut = Cut(broker, error)
    budgets = Budgets(cast(Broker, cut))
    await budgets.define(context, "Admin", 10)
    charged = await budgets.charge(context, "Admin", 7, key=key)
    await budgets.charge(context, "Admin", 1)
    if key:
        budgets.settle(charged)
        await asyncio.sleep(3 * PAUSE)
    with pytest.raises(type(error)):
        await budgets.give_back(charged)
    cut.error = None
    for _ in range(2):
        await budgets.give_back(charged)
        level = await budgets.level(context, "Admin")
        assert level is not None
        assert level.spent == left
    await budgets.close()


@pytest.mark.parametrize("amount", [-1, True, 1.0, 1.5, nan, "1", None])
async def test_what_is_no_amount_is_refused(broker: Broker, context: str, amount: Any) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 10)
    await budgets.define_leakage(context, "near", 10)
    attempts = (
        budgets.define(context, "Admin", amount),
        budgets.define(context, "New", amount),
        budgets.define_leakage(context, "near", amount),
        budgets.define_leakage(context, "new", amount),
        budgets.charge(context, "Admin", amount),
        budgets.charge(context, "Admin", amount, key="k"),
        budgets.leak(context, "near", amount),
        budgets.leak(context, "near", amount, key="k"),
        budgets.leak(context, "near", amount, key="k", turn=2),
    )
    for attempt in attempts:
        with pytest.raises(ValueError, match="is not an amount"):
            await attempt
    assert (await budgets.level(context, "New"), await budgets.leakage(context, "new")) == (
        None,
        None,
    )
    assert (await budgets.charge(context, "Admin", 1)).level.spent == 1
    assert (await budgets.leak(context, "near", 1)).level.spent == 1


@pytest.mark.parametrize("window", [-60, nan, inf, 1e-9, True, "60"])
async def test_what_is_no_window_is_refused(broker: Broker, context: str, window: Any) -> None:
    budgets = Budgets(broker)
    with pytest.raises(ValueError, match="is not a window"):
        await budgets.define(context, "Admin", 10, window=window)
    with pytest.raises(ValueError, match="is not a window"):
        await budgets.define_leakage(context, "near", 10, window=window)
    assert (await budgets.define_leakage(context, "near", 1, window=60)).window == 60.0
    await budgets.leak(context, "near", 1)
    with pytest.raises(LeakageExhausted):
        await budgets.leak(context, "near", 1)


@pytest.mark.parametrize("cost", [2**53, 3 * 2**53, 10**30])
async def test_more_than_any_limit_is_exhausted(broker: Broker, context: str, cost: int) -> None:
    for leases in (False, True):
        budgets = Budgets(broker, leases=leases)
        with pytest.raises(UnknownBudget):
            await budgets.charge(f"{context}.none", "Admin", cost)
        await budgets.define(context, "Admin", LIMIT_MAX)
        await budgets.define_leakage(context, "near", LIMIT_MAX)
        for _ in range(2 * STREAK):
            await budgets.charge(context, "Admin", 1)
        for key in ("", "k"):
            with pytest.raises(BudgetExhausted) as caught:
                await budgets.charge(context, "Admin", cost, key=key)
            assert (caught.value.limit, caught.value.cost) == (LIMIT_MAX, cost)
            with pytest.raises(LeakageExhausted):
                await budgets.leak(context, "near", cost, key=key)
        await budgets.close()


SENDERS = """
import asyncio, sys
from pavane.broker.connect import connect
from pavane.effects.flow.budget import Budgets
from pavane.effects.errors import BudgetExhausted

async def main() -> None:
    url, context = sys.argv[1:]
    broker = await connect(url)
    budgets = Budgets(broker)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    async def sender() -> int:
        try:
            await budgets.charge(context, "Admin", 7)
        except BudgetExhausted:
            return 0
        return 1
    print(sum(await asyncio.gather(*(sender() for _ in range(50)))))
    await broker.close()

asyncio.run(main())
"""


async def start_sender(url: str, context: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SENDERS, url, context),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )


@pytest.mark.parametrize(("limit", "wanted"), [(200 * 7, 200), (150 * 7 + 6, 150)])
async def test_a29_two_hundred_senders_in_four_processes_are_exact(
    nats_url: str, context: str, limit: int, wanted: int
) -> None:
    from pavane.broker.connect import connect

    broker = await connect(nats_url)
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", limit)
    processes = [await start_sender(nats_url, context) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    results = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sum(int(out) for out, _ in results) == wanted
    level = await budgets.level(context, "Admin")
    assert level is not None
    assert level.spent == wanted * 7
    await broker.close()


async def test_a29_two_hundred_senders_in_one_process_are_exact(
    broker: Broker, context: str
) -> None:
    budgets = Budgets(broker)
    await budgets.define(context, "Admin", 150 * 7 + 6)
    outcomes = await asyncio.gather(
        *(budgets.charge(context, "Admin", 7) for _ in range(200)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetExhausted)]
    assert len(refused) == 50
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 150
    level = await budgets.level(context, "Admin")
    assert level is not None
    assert level.spent == 150 * 7
