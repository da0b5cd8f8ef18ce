"""Simulated sessions of the guide's hierarchy, seven roles in three processes, with capabilities,
budgets, facts and faults; ten thousand are allowed a minute."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import anyio.to_thread

from pavane import SimulationConfig, load
from pavane.actors.simulation.campaign import Campaign
from pavane.actors.standin import StandIn

from .measure import Figure, main

HIERARCHY = Path(__file__).resolve().parents[1] / "tests" / "data" / "guide" / "016.choreo"

COUNT = 10_000
ALLOWED = 60.0

PROCESSES = (
    ("TopCoordinator",),
    ("SubCoordinator1", "Worker1", "Worker2"),
    ("SubCoordinator2", "Worker3", "Worker4"),
)


async def figure() -> Figure:
    seconds = await anyio.to_thread.run_sync(simulated)
    name = f"simulation, {COUNT:,} sessions of a hierarchy"
    return Figure(name, seconds, ALLOWED, ALLOWED / seconds, 1.0, "s, of those allowed")


def simulated() -> float:
    """The processor seconds that it took."""
    logging.getLogger("pavane").setLevel(logging.CRITICAL)
    protocol = load(HIERARCHY)
    config = SimulationConfig(processes=PROCESSES)
    campaign = Campaign(protocol, {role: StandIn() for role in protocol.roles}, config, {})
    begun = time.thread_time()
    report = campaign.run(range(COUNT))
    assert report.ok, report.failure
    return time.thread_time() - begun


if __name__ == "__main__":
    main(figure)
