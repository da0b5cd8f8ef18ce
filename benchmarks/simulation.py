"""Simulated sessions of the guide's hierarchy, seven roles in three processes, with capabilities,
budgets, facts and faults; ten thousand are allowed a minute. Seeds have nothing to do with each
other: each core of the machine plays its part of them."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

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
    cores = os.cpu_count() or 1
    begun = time.monotonic()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        parts = pool.map(simulated, [range(core, COUNT, cores) for core in range(cores)])
        assert sum(parts) == COUNT
    seconds = time.monotonic() - begun
    name = f"simulation, {COUNT:,} sessions of a hierarchy"
    return Figure(name, seconds, ALLOWED, ALLOWED / seconds, 1.0, "s, of those allowed")


def simulated(seeds: range) -> int:
    """How many sessions were played, none of which went wrong."""
    logging.getLogger("pavane").setLevel(logging.CRITICAL)
    protocol = load(HIERARCHY)
    config = SimulationConfig(processes=PROCESSES)
    campaign = Campaign(protocol, {role: StandIn() for role in protocol.roles}, config, {})
    report = campaign.run(seeds)
    assert report.ok, report.failure
    return report.seeds


if __name__ == "__main__":
    main(figure)
