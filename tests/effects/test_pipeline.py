from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from pavane.broker.errors import NotConnected
from pavane.effects.errors import (
    BudgetExhausted,
    CapabilityDenied,
    EffectDenied,
    LeakageExhausted,
    UnknownBudget,
    UnknownLeakage,
)
from pavane.effects.flow.budget import Budgets, Charged
from pavane.effects.flow.receipt import unpack, verify_chain
from pavane.effects.journal.writer import Writer
from pavane.effects.pipeline.command import Command, Deny, Snapshot
from pavane.effects.pipeline.effect import StageName
from pavane.effects.pipeline.handlers import standard_registry
from pavane.effects.pipeline.pipeline import Pipeline
from pavane.effects.pipeline.registry import ExtensionRegistry
from pavane.effects.pipeline.trace import Denial, Stage
from pavane.effects.pipeline.transaction import BrokerDriver
from pavane.language.machine import Action, Peer

if TYPE_CHECKING:
    from .conftest import Desk


async def test_a26_the_trace_shows_all_stages_in_order(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    context = desk.context(capabilities=["x"])
    await desk.budgets.define_leakage(context.budget_context, "external", 10)
    send = action(guard_capability="x", flow_cost=200, leak="external: 2", journal_facts="a, b")
    passed = await desk.pipeline.before_send(context, send)
    assert [stage.name for stage in passed.stages] == ["capability", "flow", "leakage", "journal"]
    passed.confirm()
    assert [(stage.name, stage.detail) for stage in passed.stages] == [
        ("capability", "x"),
        ("flow", "200 (200 of 1000)"),
        ("leakage", "external 2 (2 of 10)"),
        ("journal", "a, b"),
        ("send", "User!Command"),
    ]
    assert tuple(desk.seen) == passed.stages


async def test_a26_a_message_that_only_costs_still_shows_all_stages(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    passed = await desk.pipeline.before_send(desk.context(), action(flow_cost=1))
    passed.confirm()
    assert [stage.name for stage in passed.stages] == [
        *("capability", "flow", "leakage", "journal", "send")
    ]


async def test_a27_without_the_capability_there_is_no_charge_and_no_fact_but_an_audit_entry(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    context = desk.context(capabilities=["y"])
    with pytest.raises(CapabilityDenied) as caught:
        await desk.pipeline.before_send(context, action(guard_capability="x", journal_facts="a"))
    assert caught.value.capability == f"{desk.namespace}:x"
    assert caught.value.instance == "Admin"
    assert await desk.spent() == 0
    assert await desk.entries() == []
    (denial,) = desk.pipeline.audit
    assert (denial.stage, denial.error, denial.arriving) == ("capability", caught.value, False)
    assert desk.seen == [denial]


async def test_a27_the_receiver_refuses_a_sender_that_cannot_show_the_capability(
    desk: Desk, action: Callable[..., Action]
) -> None:
    received = action(guard_capability="x")
    sender = desk.context(capabilities=["x"])
    thief = desk.context("User", capabilities=["y"])
    assert desk.pipeline.arrival(received).guards == ("x",)
    desk.pipeline.check_arrival(received, sender.token, sender.identity)
    for token, identity in [
        (b"", sender.identity),
        (sender.token, thief.identity),
        (thief.token, thief.identity),
        (b"garbage", sender.identity),
    ]:
        with pytest.raises(CapabilityDenied):
            desk.pipeline.check_arrival(received, token, identity)
    assert len(desk.pipeline.audit) == 4
    assert all(denial.arriving for denial in desk.pipeline.audit)


def test_an_unguarded_arrival_has_nothing_to_check(
    desk: Desk, action: Callable[..., Action]
) -> None:
    assert not desk.pipeline.arrival(action(flow_cost=5))
    desk.pipeline.check_arrival(action(flow_cost=5), b"", desk.identity())


async def test_a28_flow_cost_charges_exactly_before_the_publish(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(1000)
    passed = await desk.pipeline.before_send(desk.context(), action(flow_cost=200))
    assert (passed.charge, await desk.spent()) == (200, 200)
    assert passed.receipt is not None
    assert (passed.receipt.cost, passed.receipt.spent, passed.receipt.epoch) == (200, 200, 0)
    await desk.pipeline.before_send(desk.context(), action(priority=1))
    assert await desk.spent() == 300
    assert not desk.pipeline.plan("Admin", action())


async def test_a28_up_to_the_limit_passes_and_one_more_is_refused(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(300)
    context = desk.context()
    await desk.pipeline.before_send(context, action(flow_cost=300))
    with pytest.raises(BudgetExhausted) as caught:
        await desk.pipeline.before_send(context, action(flow_cost=1, journal_facts="a"))
    error = caught.value
    assert (error.limit, error.spent, error.cost, error.peer) == (300, 300, 1, "Admin")
    assert await desk.spent() == 300
    assert await desk.facts() == []
    assert [denial.stage for denial in desk.pipeline.audit] == ["flow"]


async def test_an_unknown_budget_means_refusal(desk: Desk, action: Callable[..., Action]) -> None:
    with pytest.raises(UnknownBudget, match="Admin has no flow budget"):
        await desk.pipeline.before_send(desk.context(), action(flow_cost=1))
    with pytest.raises(UnknownBudget):
        await desk.pipeline.admit(desk.context(), [action(flow_cost=1)])
    await desk.pipeline.admit(desk.context(), [action(flow_cost=0), action()])
    with pytest.raises(UnknownLeakage, match="external"):
        await desk.pipeline.admit(desk.context(), [action(flow_cost=0, leak="external")])


async def test_a27_admission_can_ask_for_the_capabilities(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    sends = [action(guard_capability="x")]
    await desk.pipeline.admit(desk.context(), sends)
    with pytest.raises(CapabilityDenied):
        await desk.pipeline.admit(desk.context(), sends, capabilities=True)
    await desk.pipeline.admit(desk.context(capabilities=["x"]), sends, capabilities=True)


async def test_a28_a_collective_message_is_charged_for_each_copy(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    send = action(Peer("User", 0, 7, every=True), flow_cost=5)
    passed = await desk.pipeline.before_send(desk.context(), send, 7)
    assert (passed.charge, await desk.spent()) == (35, 35)
    (sent,) = await desk.entries()
    assert (sent.charge, sent.count, sent.peer) == (35, 7, "User[*]")


async def test_a32_facts_are_in_the_stream_with_protocol_role_step_and_time(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    send = action(step=3, flow_cost=2, journal_facts="a, b")
    passed = await desk.pipeline.before_send(desk.context("Admin", index=4), send)
    passed.confirm()
    assert passed.facts == ("a", "b")
    sent, *facts = await desk.entries()
    assert [fact.name for fact in facts] == ["a", "b"]
    for fact in facts:
        assert (fact.namespace, fact.protocol, fact.session) == (desk.namespace, "Proto", "s1")
        assert (fact.role, fact.index, fact.step, fact.label) == ("Admin", 4, 3, "Command")
        assert fact.time > 1.7e18
        assert passed.receipt is not None
        assert fact.receipt == sent.receipt == passed.receipt.hash
    assert facts[1].previous == facts[0].hash
    assert unpack(sent.proof) == passed.receipt


async def test_a32_an_abandoned_message_leaves_no_fact_and_no_charge(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    context = desk.context()
    kept = await desk.pipeline.before_send(context, action(flow_cost=10, journal_facts="kept"))
    kept.confirm()
    lost = await desk.pipeline.before_send(context, action(flow_cost=20, journal_facts="lost"))
    await lost.abandon("the connection is cut")
    after = await desk.pipeline.before_send(context, action(flow_cost=30, journal_facts="after"))
    after.confirm()
    assert await desk.spent() == 40
    assert await desk.facts() == ["kept", "after"]
    assert [e.kind for e in await desk.entries()] == [
        *("sent", "fact", "sent", "fact", "unsent", "sent", "fact")
    ]
    await desk.pipeline.finish(context)
    assert (await desk.journal.verify(namespace=desk.namespace)).ok


async def test_a_message_ends_once(desk: Desk, action: Callable[..., Action]) -> None:
    await desk.fund()
    passed = await desk.pipeline.before_send(desk.context(), action(flow_cost=1))
    passed.confirm()
    with pytest.raises(AssertionError):
        await passed.abandon("late")


async def test_a_cancelled_sender_is_charged_nothing(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    context = desk.context()
    send = action(flow_cost=10, journal_facts="a")
    for turns in range(12):
        sending = asyncio.create_task(desk.pipeline.before_send(context, send))
        for _ in range(turns):
            await asyncio.sleep(0)
        sending.cancel()
        try:
            await (await sending).abandon("the test is over")
        except asyncio.CancelledError:
            pass
    await desk.pipeline.finish(context)
    assert await desk.spent() == 0
    assert await desk.facts() == []
    assert (await desk.journal.verify(namespace=desk.namespace)).ok


async def test_a31_the_receipts_of_a_session_are_one_chain_in_its_journal(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(10_000)
    context = desk.context()
    await asyncio.gather(
        *(desk.pipeline.before_send(context, action(flow_cost=n)) for n in range(1, 21))
    )
    receipts, given_back = await desk.journal.receipts(context.identity)
    assert given_back == frozenset()
    total = await desk.budgets.verify(
        receipts,
        context.budget_context,
        "Admin",
        writer=".".join(context.identity.tokens()),
        signers=[desk.signer.public],
    )
    assert total == sum(range(1, 21)) == await desk.spent()


async def test_a37_one_exhausted_class_of_observers_refuses_its_messages_only(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    context = desk.context()
    for observer, limit in (("external", 3), ("near", 100)):
        await desk.budgets.define_leakage(context.budget_context, observer, limit)
    await desk.pipeline.before_send(context, action(flow_cost=1, leak="external: 3"))
    with pytest.raises(LeakageExhausted) as caught:
        await desk.pipeline.before_send(context, action(flow_cost=50, leak="near: 5, external"))
    assert (caught.value.observer, caught.value.limit) == ("external", 3)
    await desk.pipeline.before_send(context, action(flow_cost=1, leak="near: 5"))
    near = await desk.budgets.leakage(context.budget_context, "near")
    assert near is not None
    assert (near.spent, await desk.spent()) == (5, 2)
    with pytest.raises(UnknownLeakage, match="unheard"):
        await desk.pipeline.before_send(context, action(flow_cost=1, leak="unheard"))


@dataclass(frozen=True, slots=True)
class OfficeHours:
    closed: bool
    stage: ClassVar[StageName] = "journal"


def ask(effect: OfficeHours, snapshot: Snapshot) -> Iterator[Command]:
    if effect.closed:
        yield Deny("the office is closed")


async def test_an_extension_that_denies_gives_the_charge_back(
    make_desk: Callable[[ExtensionRegistry], Desk], action: Callable[..., Action]
) -> None:
    registry = standard_registry()
    registry.annotation("office", lambda value: OfficeHours(value == "closed"))
    registry.register(OfficeHours, ask, role="Admin")
    desk = make_desk(registry)
    await desk.fund()
    await desk.fund(role="User")
    closed = action(flow_cost=10, journal_facts="a", office="closed")
    with pytest.raises(EffectDenied, match=r"OfficeHours refused .* the office is closed"):
        await desk.pipeline.before_send(desk.context(), closed)
    assert await desk.spent() == 0
    assert await desk.facts() == []
    await desk.pipeline.before_send(desk.context(), action(flow_cost=10, office="open"))
    await desk.pipeline.before_send(desk.context("User"), closed)
    assert (await desk.spent(), await desk.spent("User")) == (10, 10)
    await desk.pipeline.close()


class Forgetful(Budgets):
    """Budgets that cannot be given back to, as when the broker is gone."""

    async def give_back(self, charged: Charged) -> None:
        raise NotConnected("here", "cut")


async def test_a_give_back_that_fails_is_noted_on_the_refusal(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund()
    driver = BrokerDriver(
        desk.verifier, Forgetful(desk.broker), desk.journal, desk.signer
    )  # fmt: skip
    pipeline = Pipeline(standard_registry(), driver)
    with pytest.raises(UnknownLeakage) as caught:
        await pipeline.before_send(desk.context(), action(flow_cost=10, leak="external"))
    (note,) = caught.value.__notes__
    assert note == "a charge could not be given back: not connected to here: cut"
    assert len(pipeline.audit) == 1


async def test_nothing_is_given_back_where_the_journal_cannot_say_so(
    desk: Desk, action: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receipt would hold, and nobody would have been charged for it."""
    await desk.fund()
    passed = await desk.pipeline.before_send(desk.context(), action(flow_cost=10))

    async def cut(*_: object) -> None:
        raise NotConnected("here", "cut")

    monkeypatch.setattr(Writer, "retract", cut)
    with pytest.raises(NotConnected):
        await passed.abandon("not connected")
    assert await desk.spent() == 10
    monkeypatch.undo()
    passed = await desk.pipeline.before_send(desk.context(), action(flow_cost=7))
    await passed.abandon("not connected")
    assert await desk.spent() == 10
    await desk.pipeline.close()


async def test_observers_see_stages_and_denials_of_all_instances(
    desk: Desk, action: Callable[..., Action]
) -> None:
    await desk.fund(5)
    await desk.fund(5, role="User")
    await desk.pipeline.before_send(desk.context("User"), action(flow_cost=1))
    with pytest.raises(BudgetExhausted):
        await desk.pipeline.before_send(desk.context(), action(flow_cost=6))
    kinds = [(type(seen), seen.context.identity.role) for seen in desk.seen]
    assert kinds == [(Stage, "User")] * 4 + [(Stage, "Admin"), (Denial, "Admin")]


async def test_a33_a_merge_joins_the_peers_journal_on_both_sides(
    desk: Desk, action: Callable[..., Action]
) -> None:
    for role in ("Top", "Sub", "Worker"):
        await desk.fund(role=role)
    top, sub, worker = (desk.context(role) for role in ("Top", "Sub", "Worker"))
    started = action("Sub", 1, journal_facts="started")
    await desk.pipeline.before_send(top, started)
    work = action("Sub", 2, journal_facts="worked", journal_merge=True)
    await desk.pipeline.before_send(worker, work)
    await desk.pipeline.after_arrival(sub, work, worker.identity)
    result = action("Top", 3, journal_facts="aggregated", journal_merge=True)
    await desk.pipeline.before_send(sub, result)
    assert (await desk.journal.view(sub.identity)).names() == ("started", "worked", "aggregated")
    assert (await desk.journal.view(top.identity)).names() == ("started",)
    await desk.pipeline.after_arrival(top, result, sub.identity)
    later = action("Sub", 4, journal_facts="later")
    await desk.pipeline.before_send(worker, later)
    union = await desk.journal.view(top.identity)
    assert union.names() == ("started", "worked", "aggregated")
    assert union == await desk.journal.view(sub.identity)
    assert (await desk.journal.view(worker.identity)).names() == ("worked", "later")


def test_verify_chain_of_nothing_is_nothing(desk: Desk) -> None:
    assert verify_chain([], context="c", peer="p", epoch=0, writer="w", signers=[]) == 0
