from __future__ import annotations

import asyncio
import os
import sys
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

from pavane.broker.contract import Broker
from pavane.broker.errors import LimitExceeded
from pavane.effects.errors import BudgetExhausted, ReceiptRefused, UnknownBudget
from pavane.effects.flow.budget import Budgets
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
