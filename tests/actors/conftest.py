"""What the actors' tests share: a runtime on every driver, and a plain connection beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import pavane
from pavane.broker.connect import connect
from pavane.broker.contract import Broker


@pytest.fixture
async def runtime(broker_url: str) -> AsyncIterator[pavane.Runtime]:
    async with pavane.open(broker_url) as opened:
        yield opened


@pytest.fixture
async def outsider(runtime: pavane.Runtime, broker_url: str) -> AsyncIterator[Broker]:
    """Another client of the same broker."""
    broker = await connect(broker_url)
    yield broker
    await broker.close()
