from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker


@pytest.fixture
async def other(broker: Broker, broker_url: str) -> AsyncIterator[Broker]:
    """A second connection to the same broker."""
    connection = await connect(broker_url)
    yield connection
    await connection.close()


async def _until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
def until() -> Callable[..., object]:
    """`await until(lambda: ...)` waits for a condition, at most five seconds."""
    return _until
