"""Compositions are simulated as they are played elsewhere: each session in its turn."""

from __future__ import annotations

import pytest

import pavane
from pavane.actors.player import Player
from pavane.actors.simulation.errors import AlreadySimulating

WORK = pavane.load("""choreography Work {
    roles: Lead, Hand;
    Lead -> Hand: Job(n: int);
    Hand[flow_cost = 5, journal_facts = "done"] -> Lead: Result(n: int);
}""")

SHOP = pavane.load("""choreography Shop {
    roles: Customer, Desk;
    Customer -> Desk: Order(n: int);
    Desk -> Customer: Receipt(n: int);
}""")


async def lead(me: pavane.Endpoint) -> int:
    await me.send("Job", n=me.input)
    return int((await me.receive("Result")).n)


async def hand(me: pavane.Endpoint) -> None:
    await me.send("Result", n=2 * (await me.receive("Job")).n)


async def customer(me: pavane.Endpoint) -> int:
    await me.send("Order", n=4)
    return int((await me.receive("Receipt")).n)


def work(n: int) -> pavane.SessionPlan:
    return pavane.SessionPlan(WORK, Lead=lead, Hand=hand, input=n)


desk = pavane.delegated(
    "Order", "Receipt", to=lambda order: work(order.n), result=lambda child: {"n": child["Lead"]}
)


async def results(runtime: Player) -> list[object]:
    flow = pavane.Sequence(
        one=pavane.Parallel(*(work(n) for n in range(5))),
        two=lambda so_far: work(sum(outcome["Lead"] for outcome in so_far.last.values())),
    )
    done = await flow.run(runtime)
    some = await pavane.Parallel(work(1), work(2), work(3), quorum=2).run(runtime)
    return [
        done["two"]["Lead"],
        done["two"].facts,
        done["two"].charged,
        len(list(some.values())) >= 2,
    ]


async def test_a36_a44_a_composition_comes_to_the_same_in_a_simulation() -> None:
    async with pavane.for_testing() as runtime:
        played = await results(runtime)
    async with pavane.for_simulation(3) as first, pavane.for_simulation(3) as second:
        assert await results(first) == await results(second) == played == [40, ("done",), 5, True]
        assert first.trace == second.trace


@pytest.mark.parametrize("durable", [False, True])
async def test_a36_a_role_hands_its_work_on_in_a_simulation(durable: bool) -> None:
    async with pavane.for_simulation(3) as simulated:
        outcome = await simulated.run(SHOP, Customer=customer, Desk=desk, durable=durable)
    assert outcome["Customer"] == 8


@pytest.mark.parametrize("durable", [False, True])
def test_a36_faults_break_nothing_where_work_is_handed_on(durable: bool) -> None:
    config = pavane.SimulationConfig(durable=durable)
    report = pavane.simulate(SHOP, seeds=100, config=config, Customer=customer, Desk=desk)
    assert report.smallest is None
    assert report.ended["done"] > 50


async def test_a_role_starts_no_simulation_of_its_own() -> None:
    async def nested(me: pavane.Endpoint) -> None:
        async with pavane.for_simulation(1) as inner:
            await inner.run(WORK, Lead=lead, Hand=hand, input=1)

    async with pavane.for_simulation(3) as simulated:
        with pytest.raises(AlreadySimulating, match="a simulation of its own"):
            await simulated.run(SHOP, Customer=customer, Desk=nested)


async def test_what_is_for_workers_is_refused_in_a_simulation() -> None:
    async with pavane.for_simulation(3) as simulated:
        with pytest.raises(pavane.InvalidComposition, match="Work is for workers"):
            await pavane.SessionPlan(WORK, workers=True, input=1).run(simulated)


async def test_a44_one_that_fails_cancels_the_others_in_a_simulation() -> None:
    async def fails(me: pavane.Endpoint) -> None:
        raise ValueError("no hand")

    bad = pavane.SessionPlan(WORK, Lead=lead, Hand=fails, input=1)
    flow = pavane.Parallel(bad, work(2), work(3))
    async with pavane.for_simulation(3) as simulated:
        with pytest.raises(pavane.ParallelFailed, match="no hand") as failed:
            await flow.run(simulated, session="all", durable=True)
    assert failed.value.cancelled == ("Work-2", "Work-3")
