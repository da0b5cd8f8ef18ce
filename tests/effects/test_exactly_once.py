"""What holds after any mixture of sends, refusals, failed publishes and cancellations."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pavane.effects.errors import EffectError
from pavane.effects.identity import SendContext
from pavane.language.machine import Action

if TYPE_CHECKING:
    from .conftest import Desk


class Senders:
    """Instances that send at random; `confirmed` is what they know to be sent."""

    def __init__(self, desk: Desk, action: Callable[..., Action], seed: int) -> None:
        self.desk = desk
        self.action = action
        self.rng = random.Random(seed)
        self.confirmed: list[str] = []
        self.cost = 0

    async def send(self, context: SendContext, number: int) -> None:
        name, cost = f"fact_{number}", self.rng.randrange(1, 30)
        guard = self.rng.choice(["x", "x", "x", "not_held"])
        leak = self.rng.choice(["near:1", "far:1"])
        send = self.action(guard_capability=guard, flow_cost=cost, leak=leak, journal_facts=name)
        task = asyncio.create_task(self.desk.pipeline.before_send(context, send))
        if self.rng.random() < 0.3:
            for _ in range(self.rng.randrange(12)):
                await asyncio.sleep(0)
            task.cancel()
        try:
            passed = await task
        except (EffectError, asyncio.CancelledError):
            return
        if self.rng.random() < 0.2:
            await passed.abandon("the publish failed")
            return
        passed.confirm()
        self.confirmed.append(name)
        self.cost += cost


@pytest.mark.parametrize("seed", range(6))
async def test_a32_charges_receipts_and_facts_are_those_of_the_messages_that_were_sent(
    desk: Desk, action: Callable[..., Action], seed: int
) -> None:
    senders = Senders(desk, action, seed)
    await desk.fund(1200)
    where = f"{desk.namespace}.Proto"
    await desk.budgets.define_leakage(where, "near", 1000)
    await desk.budgets.define_leakage(where, "far", 12)
    contexts = [desk.context(capabilities=["x"], index=index) for index in range(3)]
    await asyncio.gather(*(senders.send(contexts[number % 3], number) for number in range(120)))
    await asyncio.gather(*(desk.pipeline.finish(context) for context in contexts))

    assert senders.confirmed
    assert await desk.spent() == senders.cost <= 1200
    assert sorted(await desk.facts()) == sorted(senders.confirmed)
    assert (await desk.journal.verify(namespace=desk.namespace)).ok
    entries = await desk.entries()
    void = {(entry.writer, entry.count) for entry in entries if entry.kind == "unsent"}
    kept = [e for e in entries if e.kind == "sent" and (e.writer, e.number) not in void]
    assert sum(entry.charge for entry in kept) == senders.cost
    totals = 0
    for context in contexts:
        receipts, given_back = await desk.journal.receipts(context.identity)
        totals += await desk.budgets.verify(
            receipts,
            where,
            "Admin",
            writer=".".join(context.identity.tokens()),
            signers=[desk.signer.public],
            void=given_back,
        )
    assert totals == senders.cost
