"""What cannot be is refused before anything is simulated: it would strike nobody, and look like success."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import pavane
from pavane.actors.errors import InvalidGrant, UnknownGrantee
from pavane.actors.simulation.campaign import Report
from pavane.actors.simulation.errors import ConfigRefused, PlanRefused
from pavane.actors.simulation.runtime import SimulatedRuntime
from pavane.actors.standin import StandIn
from pavane.language.errors import PavaneError

SALE = pavane.load("""choreography Sale {
    roles: Buyer, Seller;
    Buyer -> Seller: Order(n: int);
}""")
TALK = pavane.load("choreography Talk { roles: Asker, Seller; Asker -> Seller: Hello; }")

Config: Any = pavane.SimulationConfig
Fault: Any = pavane.Fault

ANY = {role: StandIn() for role in (*SALE.roles, *TALK.roles)}


def players(protocol: pavane.Choreography) -> dict[str, StandIn]:
    return {role: ANY[role] for role in protocol.roles}


def simulated(config: Any = None, seeds: Any = 3) -> Report:
    return pavane.simulate(SALE, players(SALE), config=config, seeds=seeds)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"faults": ["nope"]}, "faults has 'nope', no kind of fault"),
        ({"faults": "crash"}, "faults is 'crash', no list"),
        ({"most": -1}, "most is -1, no whole number from 0"),
        ({"most": 3.5}, "most is 3.5"),
        ({"most": True}, "most is True"),
        ({"latency": (5, 1)}, r"latency is \(5, 1\), no such span"),
        ({"latency": (-1, 1)}, r"latency is \(-1, 1\)"),
        ({"latency": (0.0, float("nan"))}, "latency is"),
        ({"latency": 0.1}, "latency is 0.1"),
        ({"horizon": 0}, "horizon is 0, no length of time"),
        ({"horizon": float("inf")}, "horizon is inf"),
        ({"processes": ["Buyer"]}, "processes has 'Buyer', no list"),
        ({"processes": [["Buyer"], ["Buyer", "Seller"]]}, "processes names Buyer twice"),
        ({"processes": [["Buyer", "Buyer"]]}, "processes names Buyer twice"),
        ({"plan": "crash"}, "plan is 'crash', no list"),
        ({"checks": ["paid once"]}, "checks has 'paid once', no function"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_where_it_is_written(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigRefused, match=f"SimulationConfig.{said}") as caught:
        Config(**given)
    assert caught.value.hint
    assert caught.value.field in given


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crash", "'crash' is no Fault"),
        (Fault("nope", "Buyer", after=1), "there is no kind 'nope'"),
        (Fault("crash", "Buyer", after=-1), "after is -1, no such number"),
        (Fault("crash", "Buyer", after=1.5), "after is 1.5"),
        (Fault("crash", "Buyer", at=-0.5), "at is -0.5"),
        (Fault("crash", "Buyer", after=1, at=2.0), "both after and at"),
        (Fault("crash", "Buyer", after=1, seconds=-1.0), "seconds is -1.0"),
        (Fault("delay", "Buyer", at=1.0), "delay strikes a message"),
    ],
    ids=str,
)
def test_a_fault_that_cannot_be_is_refused(fault: Any, said: str) -> None:
    with pytest.raises(PlanRefused, match=f"SimulationConfig.plan, fault 2: .*{said}"):
        Config(plan=[Fault("crash", "Buyer", after=1), fault])
    assert Config(plan=[Fault("skew", "Buyer", seconds=-5.0)])


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"processes": [["Nobody"]]}, ConfigRefused, "'Nobody', and Sale has no such role"),
        ({"plan": [Fault("crash", "Nobody", after=1)]}, PlanRefused, "no role 'Nobody'"),
        ({"plan": [Fault("partition", "Buyer", roles=("X",))]}, PlanRefused, "no role 'X'"),
        ({"plan": [Fault("partition", "Buyer", roles="Seller")]}, PlanRefused, "no list"),
        ({"grants": {"Nobody": ["x"]}}, UnknownGrantee, "no role Nobody"),
        ({"budgets": {"Nobody": 5}}, UnknownGrantee, "no role Nobody"),
    ],
)
def test_roles_that_the_protocol_does_not_have_are_refused(
    given: dict[str, Any], error: type[PavaneError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        simulated(Config(**given))
    assert "Buyer, Seller" in caught.value.hint or "no list" in said


def test_grants_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidGrant):
        Config(budgets={"Buyer": -1})


def test_what_was_changed_later_is_looked_at_too() -> None:
    config = Config()
    config.most = -1
    with pytest.raises(ConfigRefused, match="most is -1"):
        simulated(config)
    with pytest.raises(ConfigRefused, match="most is -1"):
        SimulatedRuntime(1, config)


@pytest.mark.parametrize("seeds", [0, -1, True, "ab", 1.5, None, [None], [], [True], b"\x01"])
def test_without_seeds_nothing_is_shown(seeds: Any) -> None:
    with pytest.raises(ConfigRefused, match=r"^seeds (is|has) ") as caught:
        simulated(seeds=seeds)
    assert "seeds=[17, 18]" in caught.value.hint


def test_seeds_may_be_a_number_or_themselves() -> None:
    for seeds in (2, [17, 18], range(-1, 1), itertools.islice(itertools.count(), 2)):
        report = simulated(seeds=seeds)
        assert (report.seeds, report.ok) == (2, True)


async def test_a_runtime_looks_for_roles_in_all_that_it_has_played() -> None:
    config = Config(plan=[Fault("skew", "Buyer", at=0.1, seconds=1.0)], processes=[["Buyer"]])
    async with pavane.for_simulation(1, config) as runtime:
        with pytest.raises(PlanRefused, match="Talk has no role 'Buyer'"):
            await runtime.run(TALK, players(TALK))
        await runtime.run(SALE, players(SALE))
        await runtime.run(TALK, players(TALK))
