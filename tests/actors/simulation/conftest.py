from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import pavane
from pavane.actors.playing import Implementation
from pavane.actors.simulation.campaign import Campaign
from pavane.actors.standin import StandIn


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Sessions that are meant to fail, thousands of them, have much to log."""
    logger = logging.getLogger("pavane")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def _hunt(
    plant: Callable[[pytest.MonkeyPatch], None] | None,
    seeds: int,
    *,
    text: str,
    kinds: Any = (),
    roles: Mapping[str, Implementation] | None = None,
    checks: Any = (),
    **settings: Any,
) -> str:
    protocol = pavane.load(text)
    config = pavane.SimulationConfig(faults=kinds, checks=list(checks), **settings)
    players = {role: StandIn() for role in protocol.roles} | dict(roles or {})
    with pytest.MonkeyPatch.context() as patch:
        if plant is not None:
            plant(patch)
        report = Campaign(protocol, players, config, {}).run(range(seeds))
    return "" if report.failure is None else f"{report.seeds}: {report.failure.error.message}"


@pytest.fixture
def hunt() -> Callable[..., str]:
    """`hunt(plant, seeds, text=...)`: what so many seeds find once a bug is planted; empty for
    nothing."""
    return _hunt
