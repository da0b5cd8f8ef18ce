"""Effects of the user's own: registered in full, or refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import pytest

import pavane
from pavane.actors.standin import StandIn

TEXT = """#[namespace = "%s"]
protocol Report {
    roles: Clerk, Public;
    Clerk[stamp = %s] -> Public: Statement;
    Public[flow_cost = 7] -> Clerk: Thanks;
}
"""


@dataclass(frozen=True)
class Stamp:
    text: str
    stage: ClassVar[pavane.StageName] = "journal"


def stamp(value: object) -> Stamp:
    if not isinstance(value, str):
        raise TypeError("a stamp is a text")
    return Stamp(value)


def registry(*, annotated: bool = True) -> pavane.ExtensionRegistry:
    made = pavane.standard_registry()

    @made.handles(Stamp, role="Clerk")
    def stamped(effect: Stamp, message: pavane.Snapshot) -> Iterator[pavane.Command]:
        yield pavane.Charge(5)
        yield pavane.Record((f"stamped_{effect.text}",))

    if annotated:
        made.annotation("stamp", stamp)
    return made


def loaded(namespace: str, value: str = '"red"') -> pavane.Choreography:
    report = pavane.load(TEXT % (namespace, value), extension_keys=["stamp"])
    for role in report.roles:
        report.role(role)(StandIn())
    return report


@pytest.mark.parametrize("durable", [False, True])
async def test_a34_an_extension_does_the_same_in_three_runtimes(
    durable: bool, nats_url: str, unique: str
) -> None:
    effects = registry()
    for opened in (
        pavane.for_testing(registry=effects),
        pavane.for_simulation(2, pavane.SimulationConfig(faults=(), registry=effects)),
        pavane.open(nats_url, registry=effects),
    ):
        async with opened as runtime:
            outcome = await runtime.run(loaded(unique), durable=durable)
            assert (outcome.charged, outcome.facts) == (112, ("stamped_red",))


@pytest.mark.parametrize("durable", [False, True])
async def test_a34_a_key_that_nobody_has_registered_is_no_reason_to_leave_its_effect_out(
    durable: bool, unique: str
) -> None:
    unaware = registry(annotated=False)
    for opened in (
        pavane.for_testing(registry=unaware),
        pavane.for_simulation(2, pavane.SimulationConfig(faults=(), registry=unaware)),
    ):
        async with opened as runtime:
            with pytest.raises(pavane.UnregisteredEffect, match="stamp") as caught:
                await runtime.run(loaded(unique), durable=durable)
            assert caught.value.role == "Clerk"
            assert 'registry.annotation("stamp", factory)' in caught.value.hint


async def test_a34_a_value_that_no_effect_is_made_of_is_refused_before_anything_is_sent(
    unique: str,
) -> None:
    async with pavane.for_testing(registry=registry()) as runtime:
        with pytest.raises(pavane.InvalidEffect, match="a stamp is a text") as caught:
            await runtime.run(loaded(unique, "3"))
    assert (caught.value.key, caught.value.value) == ("stamp", 3)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(
    "odd", [pavane.Charge(cast(int, 100.0)), pavane.Charge(-50), pavane.Record(cast(Any, "extra"))]
)
async def test_a34_a_command_that_nobody_could_do_leaves_nothing_in_any_runtime(
    durable: bool, odd: pavane.Command, nats_url: str, unique: str
) -> None:
    effects = pavane.standard_registry()
    effects.annotation("stamp", stamp)
    effects.register(Stamp, lambda effect, message: iter([odd]))
    for opened in (
        pavane.for_testing(registry=effects),
        pavane.for_simulation(2, pavane.SimulationConfig(faults=(), registry=effects)),
        pavane.open(nats_url, registry=effects),
    ):
        async with opened as runtime:
            with pytest.raises(pavane.HandlerFailed, match="the handler of Stamp") as caught:
                await runtime.run(loaded(unique), durable=durable)
            assert "the role that sends is not at fault" in caught.value.hint
    async with pavane.open(nats_url, registry=effects) as runtime:
        level = await runtime.budgets.level(f"{unique}.Report", "Clerk")
        assert level is not None
        assert level.spent == 0
        assert [entry async for entry in runtime.journal.query(namespace=unique)] == []


async def test_a34_a_factory_that_makes_no_effect_is_told_before_anything_is_sent(
    unique: str,
) -> None:
    effects = pavane.standard_registry()
    effects.annotation("stamp", lambda value: cast(Any, 5))
    async with pavane.for_testing(registry=effects) as runtime:
        with pytest.raises(pavane.InvalidEffect, match="its factory made 5, which is none"):
            await runtime.run(loaded(unique))


async def test_a_key_that_was_not_said_to_mean_anything_is_kept(unique: str) -> None:
    report = pavane.load(TEXT % (unique, "3"))
    async with pavane.for_testing() as runtime:
        outcome = await runtime.run(report, {role: StandIn() for role in report.roles})
    assert outcome.charged == 107
