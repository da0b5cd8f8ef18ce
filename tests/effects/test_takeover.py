"""A role instance that goes on in another process: one chain of receipts, each charge once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pavane.broker.errors import HoldTaken
from pavane.effects.errors import JournalBroken
from pavane.effects.flow.budget import Budgets
from pavane.effects.flow.receipt import ReceiptChain
from pavane.effects.identity import Identity, SendContext
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.effects.pipeline.handlers import standard_registry
from pavane.effects.pipeline.pipeline import Pipeline
from pavane.effects.pipeline.transaction import BrokerDriver
from pavane.language.machine import Action

if TYPE_CHECKING:
    from .conftest import Desk


def worker_on(desk: Desk) -> Pipeline:
    """Another process that plays the desk's instances."""
    signer = Signer()
    budgets, journal = Budgets(desk.broker, leases=True), Journal(desk.broker, signer)
    driver = BrokerDriver(desk.verifier, budgets, journal, signer)
    return Pipeline(standard_registry(), driver)


async def test_a31_a_worker_that_takes_over_goes_on_with_the_chain(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(10_000)
    context = desk.context()
    signers: list[bytes] = []
    for cost in (1, 2, 3):
        signer = Signer()
        signers.append(signer.public)
        budgets, journal = Budgets(desk.broker), Journal(desk.broker, signer)
        driver = BrokerDriver(desk.verifier, budgets, journal, signer)
        worker = Pipeline(standard_registry(), driver)
        sends = [worker.before_send(context, action(flow_cost=cost)) for _ in range(2)]
        await asyncio.gather(*sends)
        await worker.finish(context)
    receipts, _ = await desk.journal.receipts(context.identity)
    assert [receipt.number for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    writer = ".".join(context.identity.tokens())
    total = await desk.budgets.verify(
        receipts, context.budget_context, "Admin", writer=writer, signers=signers
    )
    assert total == 12 == await desk.spent()


async def test_a_durable_instance_is_charged_once_for_what_its_journal_has(
    desk: Desk, action: Callable[..., Action]
) -> None:
    """Three workers, each killed after a charge that it did not store."""
    await desk.fund(10_000)
    context = replace(desk.context(), durable=True)
    workers: list[Pipeline] = []
    for _ in range(3):
        signer = Signer()
        budgets, journal = Budgets(desk.broker, leases=True), Journal(desk.broker, signer)
        driver = BrokerDriver(desk.verifier, budgets, journal, signer)
        workers.append(Pipeline(standard_registry(), driver))
        for cost in range(1, 21):
            passed = await workers[-1].before_send(context, action(flow_cost=cost))
            if cost == 20:
                await passed.abandon("not connected")
        account = await driver.accounts.of(context)
        await budgets.charge(context.budget_context, "Admin", 500, account=account)
    assert await desk.spent() > 3 * 190
    last = Pipeline(standard_registry(), desk.pipeline.driver)
    await last.before_send(context, action(flow_cost=1))
    for stale in workers:
        with pytest.raises((HoldTaken, JournalBroken)):
            for _ in range(100):
                await stale.before_send(context, action(flow_cost=500))
    await last.finish(context)
    assert await desk.spent() == 3 * 190 + 1


async def test_a_successor_that_sends_nothing_more_gives_back_what_was_drawn(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(100_000)
    context = replace(desk.context(), durable=True)
    killed = worker_on(desk)
    await killed.driver.take_over(context, "first")
    for _ in range(20):
        await killed.before_send(context, action(flow_cost=10))
    assert await desk.spent() > 200
    successor = worker_on(desk)
    await successor.driver.take_over(context, "second")
    await successor.finish(context)
    assert await desk.spent() == 200


async def test_an_instance_that_comes_back_to_a_process_begins_with_what_is_stored(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(100_000)
    context = replace(desk.context(), durable=True)
    first, second = worker_on(desk), worker_on(desk)
    for turn, worker in enumerate((first, second, first, second, first), 1):
        await worker.driver.take_over(context, f"worker {turn}")
        for _ in range(20):
            await worker.before_send(context, action(flow_cost=10))
        if turn < 5:
            await worker.driver.leave(context)
    await first.finish(context)
    assert await desk.spent() == 1000


async def test_a_durable_instance_leaks_once_for_each_message_of_its_journal(
    desk: Desk, action: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.fund(100_000)
    context = replace(desk.context(), durable=True)
    where = context.budget_context
    await desk.budgets.define_leakage(where, "external", 100)

    async def leaked() -> int:
        level = await desk.budgets.leakage(where, "external")
        assert level is not None
        return level.spent

    leaking = action(leak="external: 5")
    for turn in range(3):
        worker = worker_on(desk)
        await worker.driver.take_over(context, f"worker {turn}")
        await worker.before_send(context, leaking)
        withdrawn = await worker.before_send(context, leaking)
        await withdrawn.abandon("not connected")
        assert isinstance(worker.driver, BrokerDriver)

        async def killed(*_: object) -> None:
            raise ConnectionError("killed")

        # What comes after the leak never happens: neither the journal nor the withdrawal.
        monkeypatch.setattr(worker.driver, "receipts", killed)
        monkeypatch.setattr(worker.driver.budgets, "give_back", killed)
        with pytest.raises(ConnectionError):
            await worker.before_send(context, leaking)
        assert await leaked() == 5 * (turn + 2)
    last = worker_on(desk)
    await last.driver.take_over(context, "last")
    await last.before_send(context, leaking)
    await last.finish(context)
    assert await leaked() == 5 * 4


async def kinds(desk: Desk, context: SendContext) -> list[str]:
    found = desk.journal.entries(namespace=context.identity.namespace)
    return [entry.kind async for entry in found]


@pytest.mark.parametrize("here", [True, False], ids=["in this process", "in another"])
async def test_a49_a_play_that_was_given_up_takes_nothing_back_from_the_next(
    desk: Desk, action: Callable[..., Action], here: bool
) -> None:
    """Its sender was cancelled when its message was in the journal already: the next play has found it
    there, and sends it. What is kept by the name of the instance is that of the next one."""
    await desk.fund(1000)
    context = replace(desk.context(), durable=True, turn=1)
    worker = worker_on(desk)
    await worker.driver.take_over(context, "first")
    cancelled = await worker.before_send(context, action(flow_cost=5))
    after = replace(context, turn=2)
    successor = worker if here else worker_on(desk)
    if not here:
        await worker.driver.leave(context)
    entries = await successor.driver.take_over(after, "second")
    assert [entry.kind for entry in entries] == ["sent", "resumed"]
    with pytest.raises(JournalBroken, match="given up here"):
        await cancelled.abandon("the sender was cancelled")
    await successor.before_send(after, action(flow_cost=7))
    await successor.finish(after)
    assert await kinds(desk, context) == ["sent", "resumed", "sent"]
    assert await desk.spent() == 12


async def test_a49_a_play_that_was_given_up_sends_nothing_as_the_next_one(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(1000)
    context = replace(desk.context(), durable=True, turn=1)
    worker = worker_on(desk)
    await worker.driver.take_over(context, "first")
    await worker.before_send(context, action(flow_cost=5))
    after = replace(context, turn=2)
    await worker.driver.take_over(after, "first again")
    for _ in range(3):
        with pytest.raises(JournalBroken, match="given up here"):
            await worker.before_send(context, action(flow_cost=5))
        await worker.before_send(after, action(flow_cost=7))
    # Its end is not that of the play that goes on.
    await worker.finish(context)
    await worker.driver.leave(context)
    await worker.before_send(after, action(flow_cost=7))
    await worker.finish(after)
    assert (await kinds(desk, context)).count("sent") == 5
    assert await desk.spent() == 5 + 4 * 7


async def test_a49_a_send_that_is_on_its_way_when_its_play_is_given_up_is_not_the_next_ones(
    desk: Desk, action: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.fund(1000)
    context = replace(desk.context(), durable=True, turn=1)
    worker = worker_on(desk)
    driver = worker.driver
    assert isinstance(driver, BrokerDriver)
    await driver.take_over(context, "first")
    held, found = asyncio.Event(), driver.receipts

    async def slowly(identity: Identity) -> ReceiptChain:
        chain = await found(identity)
        await held.wait()
        return chain

    monkeypatch.setattr(driver, "receipts", slowly)
    sending = asyncio.create_task(worker.before_send(context, action(flow_cost=5)))
    await asyncio.sleep(0.05)
    monkeypatch.setattr(driver, "receipts", found)
    after = replace(context, turn=2)
    await driver.take_over(after, "first again")
    held.set()
    with pytest.raises(JournalBroken, match="given up here"):
        await sending
    await worker.before_send(after, action(flow_cost=7))
    await worker.finish(after)
    assert (await kinds(desk, context)).count("sent") == 1
    assert await desk.spent() == 7
