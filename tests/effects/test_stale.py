"""Exact charges, whatever workers that were stopped do once they come back: the counter follows the
journal, also over answers that are lost and requests that come late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from secrets import token_hex
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pavane.broker.contract import Broker, Claim, Level
from pavane.broker.errors import BrokerError, HoldTaken, NotConnected, Unconfirmed
from pavane.broker.memory import hubs
from pavane.broker.memory.connection import MemoryBroker
from pavane.effects.capability.tokens import Authority
from pavane.effects.capability.verifier import Verifier
from pavane.effects.errors import EffectError, JournalBroken
from pavane.effects.flow.budget import Budgets, flow_counter, leakage_counter
from pavane.effects.flow.leases import notices
from pavane.effects.identity import Identity, SendContext
from pavane.effects.journal.journal import Journal
from pavane.effects.keys import Signer
from pavane.effects.pipeline.handlers import standard_registry
from pavane.effects.pipeline.passed import Passed
from pavane.effects.pipeline.pipeline import Pipeline
from pavane.effects.pipeline.transaction import BrokerDriver
from pavane.language.machine import Action, Peer
from pavane.language.tree import Annotation, Message

SIGNER, AUTHORITY = Signer(), Authority()
COST, LEAK = 7, 3
OUTCOMES = ("answered", "lost", "late")


def sending() -> Action:
    annotations = (Annotation("flow_cost", COST), Annotation("leak", f"world: {LEAK}"))
    return Action(True, Peer("User"), Message("Say"), 1, annotations=annotations)


class Line(MemoryBroker):
    """A connection whose next write is answered, or stored with its answer `lost`, or comes `late`:
    as on a server, a late one changes a counter only if nobody has changed it since."""

    def __init__(self, name: str) -> None:
        living = hubs.join(name)
        super().__init__(living._hub, living._on_close)  # pyright: ignore[reportPrivateUsage]
        self.outcome = "answered"
        self.late: list[tuple[str, int, Callable[[], Awaitable[object]]]] = []

    async def _write(self, counter: str, write: Callable[[], Awaitable[Level]]) -> Level:
        outcome, self.outcome = self.outcome, "answered"
        if outcome == "late":
            level = await self.level(counter)
            self.late.append((counter, level.revision if level else 0, write))
        else:
            found = await write()
            if outcome == "answered":
                return found
        raise Unconfirmed(counter, 0.0)

    async def reserve(self, counter: str, claim: Claim) -> Level:
        do = super().reserve
        return await self._write(counter, lambda: do(counter, claim))

    async def release(
        self, counter: str, account: str, *, owner: str, epoch: int, used: int
    ) -> Level:
        do = super().release
        return await self._write(
            counter, lambda: do(counter, account, owner=owner, epoch=epoch, used=used)
        )

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        outcome = "answered"
        if stream == "JOURNAL":
            outcome, self.outcome = self.outcome, "answered"
        if outcome == "late":
            raise NotConnected("memory://", "nothing came through")
        sequence = await super().append(
            stream, subject, payload, message_id=message_id, expected=expected
        )
        if outcome == "lost":
            raise Unconfirmed(f"append to {stream}", 0.0)
        return sequence

    async def arrive(self) -> None:
        """What is on its way comes in."""
        late, self.late = self.late, []
        for counter, revision, write in late:
            level = await self.level(counter)
            if level is not None and level.revision == revision:
                try:
                    await write()
                except BrokerError:
                    continue


class Worker:
    def __init__(self, name: str, context: SendContext) -> None:
        self.line = Line(name)
        self.context = context
        self.budgets = Budgets(self.line, leases=True)
        self.driver = BrokerDriver(
            Verifier(AUTHORITY.public), self.budgets, Journal(self.line, SIGNER), SIGNER
        )
        self.pipeline = Pipeline(standard_registry(), self.driver)
        self.passed: list[Passed] = []
        self.has_left = self.is_over = False

    async def send(self) -> None:
        self.passed.append(await self.pipeline.before_send(self.context, sending()))


class Session:
    """One instance, its counters, and all that have been its workers."""

    def __init__(self) -> None:
        self.name = f"stale-{token_hex(6)}"
        self.hub: Broker = hubs.join(self.name)
        who = Identity(self.name, "Proto", "s1", "Admin", None)
        self.context = SendContext(who, durable=True)
        self.where = self.context.budget_context
        self.workers: list[Worker] = []
        self.journal = Journal(self.hub, SIGNER)

    async def begin(self) -> None:
        budgets = Budgets(self.hub)
        await budgets.define(self.where, "Admin", 10**6)
        await budgets.define_leakage(self.where, "world", 10**6)
        await self.come()

    async def come(self) -> Worker:
        """The next worker takes the instance."""
        turn = len(self.workers) + 1
        worker = Worker(self.name, replace(self.context, turn=turn))
        await worker.driver.take_over(worker.context, f"worker {turn}")
        self.workers.append(worker)
        return worker

    async def spent(self) -> tuple[int, int]:
        flow = await self.hub.level(flow_counter(self.where, "Admin"))
        leak = await self.hub.level(leakage_counter(self.where, "world"))
        assert flow is not None and leak is not None
        return flow.spent, leak.spent

    async def stored(self) -> tuple[int, int]:
        """What the journal says it was charged."""
        issued, void = await self.journal.receipts(self.context.identity)
        count = sum(receipt.hash not in void for receipt in issued)
        return COST * count, LEAK * count

    async def end(self) -> None:
        for worker in self.workers:
            if not worker.is_over:
                await worker.pipeline.close()
            await worker.line.close()
        await self.hub.close()


async def begun() -> Session:
    session = Session()
    await session.begin()
    return session


class StaleWorkers(RuleBasedStateMachine):
    """Workers take the instance one after the other; all of them go on, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.patience = (
            patch("pavane.effects.journal.writer.PATIENCE", 0.0),
            patch("pavane.effects.journal.writer.PAUSE", 0.0),
        )
        for each in self.patience:
            each.start()
        self.runner = asyncio.Runner()
        self.session = self.runner.run(begun())

    def do(self, step: Awaitable[object]) -> None:
        async def done() -> None:
            try:
                await step
            except (BrokerError, EffectError):
                # It was told that it is stale, or cut off: it may try the next thing.
                return

        self.runner.run(done())

    def one(self, number: int) -> Worker:
        return self.session.workers[number % len(self.session.workers)]

    @precondition(lambda self: len(self.session.workers) < 3)
    @rule()
    def take_over(self) -> None:
        self.do(self.session.come())

    @rule(number=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES), at=st.integers(0, 2))
    def send(self, number: int, outcome: str, at: int) -> None:
        worker = self.one(number)
        if not worker.is_over and not worker.has_left:
            worker.line.outcome = outcome if not at else "answered"
            self.do(worker.send())

    @rule(number=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES))
    def abandon(self, number: int, outcome: str) -> None:
        worker = self.one(number)
        if worker.passed and not worker.is_over and not worker.has_left:
            worker.line.outcome = outcome
            self.do(worker.passed.pop().abandon("it was fenced"))

    @rule(outcome=st.sampled_from(OUTCOMES), number=st.integers(0, 2))
    def release(self, number: int, outcome: str) -> None:
        """As after a while without a charge."""

        async def recalled() -> None:
            self.session.hub.publish(notices(flow_counter(self.session.where, "Admin")), b"")
            await asyncio.sleep(0.001)

        self.one(number).line.outcome = outcome
        self.do(recalled())

    @rule(number=st.integers(0, 2))
    def arrive(self, number: int) -> None:
        self.do(self.one(number).line.arrive())

    @rule(number=st.integers(0, 2))
    def leave(self, number: int) -> None:
        worker = self.one(number)
        worker.has_left = True
        self.do(worker.driver.leave(worker.context))

    @rule(number=st.integers(0, 2))
    def close(self, number: int) -> None:
        worker = self.one(number)
        if not worker.is_over and len(self.session.workers) > 1:
            worker.is_over = True
            self.do(worker.pipeline.close())

    @invariant()
    def never_too_little(self) -> None:
        async def check() -> None:
            spent, stored = await self.session.spent(), await self.session.stored()
            assert spent[0] >= stored[0] and spent[1] >= stored[1], (spent, stored)

        self.runner.run(check())

    def teardown(self) -> None:
        try:
            self.runner.run(self.ended())
        finally:
            self.do(self.session.end())
            self.runner.close()
            for each in self.patience:
                each.stop()

    async def ended(self) -> None:
        """A last worker comes to the end, with the others alive; then they try once more."""
        for worker in self.session.workers:
            worker.line.outcome = "answered"
        last = await self.session.come()
        await last.send()
        await last.pipeline.finish(last.context)
        wanted = (await self.session.stored())[0]
        assert (await self.session.spent())[0] == wanted
        for worker in self.session.workers[:-1]:
            await worker.line.arrive()
            if not worker.is_over and not worker.has_left:
                with pytest.raises((BrokerError, EffectError)):
                    await worker.send()
                for passed in worker.passed:
                    with pytest.raises((BrokerError, EffectError)):
                        await passed.abandon("it was fenced")
            if not worker.is_over:
                worker.is_over = True
                await worker.pipeline.close()
            assert (await self.session.spent())[0] == wanted


StaleWorkers.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_a57_the_counter_follows_the_journal_whatever_stale_workers_do = StaleWorkers.TestCase


async def test_a57_a_message_that_a_stale_worker_withdraws_stays_charged_once_another_has_it() -> (
    None
):
    session = await begun()
    stale = session.workers[0]
    await stale.send()
    # Stopped between the journal and the message; its lease has been idle when it comes back.
    successor = await session.come()
    await successor.send()
    await successor.pipeline.finish(successor.context)
    session.hub.publish(notices(flow_counter(session.where, "Admin")), b"")
    await asyncio.sleep(0.01)
    with pytest.raises((HoldTaken, JournalBroken)):
        await stale.passed[0].abandon("it was fenced")
    await stale.pipeline.close()
    stale.is_over = True
    assert await session.spent() == (2 * COST, 2 * LEAK)
    await session.end()
