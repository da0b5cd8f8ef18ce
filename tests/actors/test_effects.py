"""Effects around real messages of live sessions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.events import Denied, Event, MessageSent
from pavane.actors.standin import StandIn
from pavane.broker.connect import connect
from pavane.broker.frame import Frame, Message, decode, encode
from pavane.broker.payload import pack
from pavane.effects.journal.places import JOURNAL, JOURNAL_SUBJECTS
from pavane.effects.pipeline.effect import CapabilityGuardEffect, StageName
from pavane.effects.pipeline.handlers import guard, standard_registry
from pavane.effects.pipeline.registry import ExtensionRegistry
from pavane.language.machine import Action

GUIDE = Path(__file__).parents[1] / "data" / "guide"

TEXT = """#[namespace = "%s"]
protocol Guarded { roles: Admin, User;
  Admin[guard_capability = "rule", flow_cost = 200, journal_facts = "ruled, logged"]
    -> User: Command(int);
  User[journal_facts = "obeyed"] -> Admin: Done;
  Admin -> User: Bye;
}"""


async def user(me: Endpoint) -> int:
    command: int = await me.receive("Command")
    await me.send("Done")
    await me.receive("Bye")
    return command


async def admin(me: Endpoint) -> None:
    await me.send("Command", 42)
    await me.receive("Done")
    await me.send("Bye")


@pytest.fixture
def guarded(unique: str) -> pavane.Choreography:
    return pavane.load(TEXT % unique)


async def test_a28_flow_cost_charges_exactly_before_the_publish(
    broker_url: str, guarded: pavane.Choreography, unique: str
) -> None:
    spent: dict[str, int] = {}
    events: list[Event] = []
    async with pavane.open(broker_url) as runtime:

        async def watchful(me: Endpoint) -> int:
            command: int = await me.receive("Command")
            level = await runtime.budgets.level(f"{unique}.Guarded", "Admin")
            assert level is not None
            spent["when it arrived"] = level.spent
            await me.send("Done")
            await me.receive("Bye")
            return command

        runtime.observe(events.append)
        outcome = await runtime.run(guarded, Admin=admin, User=watchful)
        level = await runtime.budgets.level(f"{unique}.Guarded", "User")
    assert spent == {"when it arrived": 200}
    assert level is not None and level.spent == 100
    assert outcome["User"] == 42
    assert outcome.charged == 300
    assert outcome.tallies["Admin"].facts == ["ruled", "logged"]
    assert outcome.tallies["User"].facts == ["obeyed"]
    assert [receipt.cost for receipt in outcome.tallies["Admin"].receipts] == [200]
    sent = [e for e in events if isinstance(e, MessageSent)]
    stages = [stage.name for stage in sent[0].stages]
    assert stages == ["capability", "flow", "leakage", "journal", "send"]
    assert [(e.label, e.charged) for e in sent] == [("Command", 200), ("Done", 100), ("Bye", 0)]
    assert sent[2].stages == ()


async def test_a27_without_the_capability_there_is_no_message_no_charge_no_fact(
    broker_url: str, guarded: pavane.Choreography, unique: str
) -> None:
    events: list[Event] = []
    frames: list[bytes] = []
    outsider = await connect(broker_url)
    async with pavane.open(broker_url, grants={"Admin": []}) as runtime:
        watching = await outsider.subscribe(f"{unique}.>", lambda _, data: frames.append(data))
        runtime.observe(events.append)
        with pytest.raises(pavane.CapabilityDenied) as caught:
            await runtime.run(guarded, Admin=admin, User=user)
        level = await runtime.budgets.level(f"{unique}.Guarded", "Admin")
        assert level is not None and level.spent == 0
        assert [d.label for d in runtime.audit] == ["Command"]
        await outsider.drained()
        await asyncio.sleep(0.05)
        await watching.close()
        await outsider.ensure_stream(JOURNAL, JOURNAL_SUBJECTS)
        facts = [r async for r in outsider.read(JOURNAL, f"journal.{unique}.>")]
    await outsider.close()
    assert "rule" in caught.value.message
    assert [m.label for data in frames for m in decode(data).messages] == []
    assert facts == []
    assert [(e.label, e.stage) for e in events if isinstance(e, Denied)] == [
        ("Command", "capability")
    ]
    assert not [e for e in events if isinstance(e, MessageSent)]


async def test_a27_a_denied_role_stands_where_it_stood_and_may_go_another_way(
    broker_url: str, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Retreat {{ roles: Admin, User;
      choice Admin {{
        act: {{ Admin[guard_capability = "rule"] -> User: Command; }}
        wait: {{ Admin -> User: Nothing; }} }} }}"""

    async def careful(me: Endpoint) -> str:
        with pytest.raises(pavane.CapabilityDenied):
            await me.send("Command")
        await me.send("Nothing")
        return "waited"

    async def listening(me: Endpoint) -> str:
        return (await me.offer()).label

    async with pavane.open(broker_url, grants={"Admin": []}) as runtime:
        outcome = await runtime.run(pavane.load(text), Admin=careful, User=listening)
    assert outcome["User"] == "Nothing"
    assert outcome.charged == 0
    assert len(outcome.tallies["Admin"].denials) == 1


async def test_a27_the_receiver_refuses_a_sender_that_cannot_show_the_capability(
    broker_url: str, guarded: pavane.Choreography, unique: str
) -> None:
    outsider = await connect(broker_url)

    async def forged(me: Endpoint) -> None:
        frame = Frame(guarded.compiled.fingerprint, (Message(1, "Command", pack(666)),))
        outsider.publish(f"{unique}.Guarded.User.0.s.Admin.0", encode(frame))
        await asyncio.sleep(1)

    async with pavane.open(broker_url) as runtime:
        with pytest.raises(pavane.CapabilityDenied):
            await runtime.run(guarded, session="s", Admin=forged, User=user)
        assert [d.arriving for d in runtime.audit] == [True]
    await outsider.close()


async def test_a28_the_limit_is_reached_exactly_and_one_more_is_refused(
    broker_url: str, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Spend {{ roles: A, B; loop (count: 4) {{ A[flow_cost = 100] -> B: M; }} }}"""
    received = 0

    async def a(me: Endpoint) -> None:
        for _ in range(4):
            await me.send("M")

    async def b(me: Endpoint) -> None:
        nonlocal received
        for _ in range(4):
            await me.receive("M")
            received += 1

    async with pavane.open(broker_url, budgets={"A": 300}) as runtime:
        with pytest.raises(pavane.BudgetExhausted) as caught:
            await runtime.run(pavane.load(text), A=a, B=b)
        level = await runtime.budgets.level(f"{unique}.Spend", "A")
    assert (caught.value.limit, caught.value.spent, caught.value.cost) == (300, 300, 100)
    assert level is not None and level.spent == 300


async def test_a34_an_effect_that_nobody_handles_is_an_error_before_the_first_message(
    broker_url: str, guarded: pavane.Choreography
) -> None:
    registry = ExtensionRegistry()
    registry.register(CapabilityGuardEffect, guard)
    started: list[str] = []

    async def never(me: Endpoint) -> None:
        started.append(me.name)

    async with pavane.open(broker_url, registry=registry) as runtime:
        with pytest.raises(pavane.EffectError, match="FlowCostEffect"):
            await runtime.run(guarded, Admin=never, User=never)
    assert started == []


async def test_nothing_leaves_where_the_message_behind_a_selection_is_denied(
    broker_url: str, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Told {{ roles: A, B, C;
      choice A {{
        go: {{ A[guard_capability = "go"] -> B: Go; B -> C: On; }}
        no: {{ A -> B: No; }} }} }}"""
    events: list[Event] = []

    async def a(me: Endpoint) -> None:
        with pytest.raises(pavane.CapabilityDenied):
            await me.send("Go")
        await me.send("No")

    async def b(me: Endpoint) -> str:
        return (await me.offer()).label

    async def c(me: Endpoint) -> str:
        return (await me.offer()).branch

    async with pavane.open(broker_url, grants={"A": []}) as runtime:
        runtime.observe(events.append)
        outcome = await runtime.run(pavane.load(text), A=a, B=b, C=c)
    assert (outcome["B"], outcome["C"]) == ("No", "no")
    sent = [(e.label, e.receiver) for e in events if isinstance(e, MessageSent)]
    assert sent == [("@no", "C"), ("No", "B")] or sent == [("No", "B"), ("@no", "C")]


async def test_a34_a_role_specific_effect_runs_at_its_role_only(
    broker_url: str, unique: str
) -> None:
    seen: list[tuple[str, str]] = []

    class Stamp:
        stage: ClassVar[StageName] = "journal"

    def stamp(effect: Any, snapshot: Any) -> Any:
        action: Action = snapshot.action
        seen.append((snapshot.context.identity.role, action.label))
        return iter(())

    registry = standard_registry()
    registry.register(Stamp, stamp, role="A")
    registry.annotation("stamp", lambda value: Stamp())
    text = f"""#[namespace = "{unique}"]
    protocol Stamped {{ roles: A, B; A[stamp = true] -> B: M; B[stamp = true] -> A: N; }}"""
    choreography = pavane.load(text, extension_keys=registry.keys())
    async with pavane.open(broker_url, registry=registry) as runtime:
        await runtime.run(choreography, A=StandIn(), B=StandIn())
    assert seen == [("A", "M")]


async def test_a46_the_hierarchical_protocol_runs_with_its_charges_and_facts(
    broker_url: str,
) -> None:
    hierarchy = pavane.load(GUIDE / "016.choreo")
    aggregates: list[Any] = []

    async def top(me: Endpoint) -> None:
        await me.send("CoordinationRequest", {"goal": "x"}, to="SubCoordinator1")
        await me.send("CoordinationRequest", {"goal": "y"}, to="SubCoordinator2")
        aggregates.append(await me.receive("SubCoordinatorResult"))

    async def first(me: Endpoint) -> None:
        await me.receive("CoordinationRequest")
        await me.send("WorkerRequest", 1, to="Worker1")
        await me.send("WorkerRequest", 2, to="Worker2")
        result = await me.receive("WorkerResult")
        await me.send("SubCoordinatorResult", [result])

    async def worker(me: Endpoint) -> None:
        await me.send("WorkerResult", 10 * await me.receive("WorkerRequest"))

    others = {role: StandIn() for role in ("SubCoordinator2", "Worker2", "Worker3", "Worker4")}
    events: list[Event] = []
    async with pavane.open(broker_url) as runtime:
        runtime.observe(events.append)
        async with asyncio.timeout(10):
            outcome = await runtime.run(
                hierarchy, others, TopCoordinator=top, SubCoordinator1=first, Worker1=worker
            )
    charges = sorted(e.charged for e in events if isinstance(e, MessageSent))
    assert charges == sorted([300, 300, 150, 150, 150, 150, 80, 200])
    assert aggregates == [[10]]
    assert set(outcome.facts) == {
        "top_coordination_started",
        "worker_coordination_started",
        "work_completed",
        "sub_results_aggregated",
    }


async def test_a_collective_send_is_charged_for_each_copy(broker_url: str, unique: str) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Spread {{ roles: L, W[5]; L[flow_cost = 7] -> W[*]: M; }}"""
    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(pavane.load(text), L=StandIn(), W=StandIn())
    assert outcome.tallies["L"].charged == 35
