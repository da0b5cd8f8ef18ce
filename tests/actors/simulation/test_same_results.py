"""`for_simulation` gives what the other two runtimes give, and the same trace for the same seed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane.actors.playing import Implementation
from pavane.actors.standin import StandIn
from pavane.effects.errors import LeakageExhausted, UnknownLeakage
from pavane.language.errors import PavaneError

GUIDE = Path(__file__).parents[2] / "data" / "guide"

Roles = dict[str, Implementation]


def negotiation() -> Roles:
    async def buyer(me: pavane.Endpoint) -> str:
        await me.send("Offer")
        return (await me.offer()).label

    async def seller(me: pavane.Endpoint) -> int:
        await me.receive("Offer")
        await me.send("Reject")
        return 7

    return {"Buyer": buyer, "Seller": seller}


def rounds() -> Roles:
    async def a(me: pavane.Endpoint) -> list[str]:
        said: list[str] = []
        for _ in range(5):
            await me.send("Request")
            said.append((await me.offer()).label)
        return said

    async def b(me: pavane.Endpoint) -> None:
        for _ in range(5):
            await me.receive("Request")
            await me.send("Response")

    return {"A": a, "B": b}


def stood_in(name: str) -> Roles:
    compiled = pavane.load(GUIDE / f"{name}.choreo")
    return {role: StandIn(3) for role in compiled.roles}


CASES: dict[str, Callable[[], Roles]] = {
    "008": negotiation,
    "010": rounds,
    "016": lambda: stood_in("016"),
}


def said(outcome: pavane.Outcome) -> dict[str, Any]:
    """What an outcome says, without the signed receipts, which have the runtime's own key in them."""
    return {
        "values": dict(outcome.values),
        "facts": {name: tally.facts for name, tally in outcome.tallies.items()},
        "counts": {
            name: (tally.sent, tally.received, tally.charged)
            for name, tally in outcome.tallies.items()
        },
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("durable", [False, True])
async def test_a36_three_runtimes_give_the_same(name: str, durable: bool, nats_url: str) -> None:
    protocol = pavane.load(GUIDE / f"{name}.choreo")
    found: list[dict[str, Any]] = []
    async with pavane.for_testing() as runtime:
        found.append(said(await runtime.run(protocol, CASES[name](), durable=durable)))
    async with pavane.for_simulation(5) as simulated:
        found.append(said(await simulated.run(protocol, CASES[name](), durable=durable)))
    async with pavane.for_production(
        nats_url,
        authority=pavane.Authority(),
        signer=pavane.Signer(),
        grants={},
        budgets={},
    ) as runtime:
        found.append(said(await runtime.run(protocol, CASES[name](), durable=durable)))
    assert found[0] == found[1] == found[2]


LEAKY = """
protocol Survey {
    roles: Asker, Answerer;
    Asker[flow_cost = 0, leak = "external: 2"] -> Answerer: Question;
    Answerer[flow_cost = 0, leak = "external: 1, neighbor: 1"] -> Asker: Answer;
}
"""


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(
    ("leakage", "refused"),
    [
        ({"external": 3, "neighbor": 1}, None),
        ({"external": 2, "neighbor": 1}, LeakageExhausted),
        ({"external": 3, "neighbor": 0}, LeakageExhausted),
        ({"external": 3}, UnknownLeakage),
        (None, UnknownLeakage),
    ],
)
async def test_a37_three_runtimes_let_observers_learn_the_same(
    leakage: dict[str, int] | None,
    refused: type[PavaneError] | None,
    durable: bool,
    nats_url: str,
    unique: str,
) -> None:
    protocol = pavane.load(f'#[namespace = "{unique}"]{LEAKY}')
    roles: Roles = {role: StandIn(1) for role in protocol.roles}
    config = pavane.SimulationConfig(faults=(), leakage=leakage)
    for opened in (
        pavane.for_testing(leakage=leakage),
        pavane.for_simulation(5, config),
        pavane.for_production(
            nats_url, authority=pavane.Authority(), signer=pavane.Signer(),
            grants={}, budgets={}, leakage=leakage,
        ),
    ):  # fmt: skip
        async with opened as runtime:
            if refused is None:
                await runtime.run(protocol, roles, durable=durable)
            else:
                with pytest.raises(refused):
                    await runtime.run(protocol, roles, durable=durable)


async def test_a36_the_same_error_comes_out_of_a_simulation() -> None:
    protocol = pavane.load(GUIDE / "008.choreo")

    async def seller(me: pavane.Endpoint) -> None:
        raise KeyError("stock")

    roles = {**negotiation(), "Seller": seller}
    errors: list[PavaneError] = []
    async with pavane.for_testing() as runtime, pavane.for_simulation() as simulated:
        for play in (runtime.run, simulated.run):
            with pytest.raises(pavane.RoleFailed) as raised:
                await play(protocol, roles, session="one")
            errors.append(raised.value)
    assert errors[0].message == errors[1].message
    assert isinstance(errors[1].__cause__, KeyError)


SCRIPT = """
import sys, pavane
from pavane.actors.standin import StandIn
from pavane.actors.simulation.runtime import SimulatedRuntime

protocol = pavane.load(sys.argv[1])
for seed in (1, 2, 3, 5, 8, 13):
    for durable in (False, True):
        runtime = SimulatedRuntime(seed, pavane.SimulationConfig(durable=durable, most=4))
        for _ in range(2):
            try:
                runtime.play(protocol, {role: StandIn(seed) for role in protocol.roles}, {})
            except pavane.PavaneError as error:
                print(error)
        sys.stdout.write(runtime.trace)
"""


def traced(protocol: str, hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", SCRIPT, str(GUIDE / f"{protocol}.choreo")]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, timeout=120
    ).stdout


@pytest.mark.parametrize("protocol", ["016"])
def test_a36_the_same_seed_gives_the_same_trace_in_another_process(protocol: str) -> None:
    first, second = traced(protocol, "1"), traced(protocol, "4242")
    assert len(first) > 10_000
    assert first == second


async def test_a36_another_seed_gives_another_trace() -> None:
    protocol = pavane.load(GUIDE / "010.choreo")
    traces: set[str] = set()
    for seed in (1, 1, 2, 3):
        async with pavane.for_simulation(seed) as runtime:
            await runtime.run(protocol, rounds())
            traces.add(runtime.trace)
    assert len(traces) == 3


async def test_waiting_takes_no_time_in_a_simulation() -> None:
    protocol = pavane.load(GUIDE / "008.choreo")

    async def seller(me: pavane.Endpoint) -> float:
        await me.receive("Offer")
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(500)
        await me.send("Reject")
        return asyncio.get_running_loop().time() - before

    begun = asyncio.get_running_loop().time()
    async with pavane.for_simulation() as runtime:
        outcome = await runtime.run(protocol, negotiation(), Seller=seller)
    assert outcome["Seller"] == pytest.approx(500, abs=0.01)
    assert asyncio.get_running_loop().time() - begun < 30


RING = """choreography Council {
    roles: W[N];
    foreach i in W[0..N-1] { W[i][flow_cost = 3] -> W[i+1]: Token(votes: list[str]); }
    W[N-1][flow_cost = 3] -> W[0]: Token(votes: list[str]);
}"""


@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize("durable", [False, True])
async def test_a13_a_ring_is_simulated_at_any_size(count: int, durable: bool) -> None:
    """Its machines are not the same before the count is bound."""

    async def vote(token: Any, me: pavane.Endpoint) -> dict[str, list[str]]:
        return {"votes": [*(token.votes if token else []), f"{me.index}"]}

    async with pavane.for_simulation(3) as simulated:
        outcome = await simulated.run(
            pavane.load(RING), W=pavane.ring(vote), bindings={"N": count}, durable=durable
        )
    assert outcome.charged == 3 * count
