"""A runtime on each driver, and how many subscriptions there are where the messages go through."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

import pavane
from pavane.broker.embedded import Server
from pavane.broker.memory.connection import MemoryBroker

Count = Callable[[], Awaitable[int]]


@pytest.fixture(scope="session")
def monitored() -> Iterator[tuple[Server, int]]:
    """A nats-server that tells what it holds, and the port on which it does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = Server(arguments=("-m", str(port)))
    asyncio.run(server.start())
    yield server, port
    asyncio.run(server.stop())


@pytest.fixture(params=["memory", "nats"])
def broker_url(request: pytest.FixtureRequest, unique: str) -> str:
    if request.param == "memory":
        return f"memory://{unique}"
    server: Server = request.getfixturevalue("monitored")[0]
    return server.url


@pytest.fixture
async def runtime(broker_url: str) -> AsyncIterator[pavane.Runtime]:
    async with pavane.open(broker_url) as opened:
        yield opened


@pytest.fixture
def subscriptions(runtime: pavane.Runtime, request: pytest.FixtureRequest) -> Count:
    """Those of the hub, or of the server, once all that was said to it has been heard."""
    broker = runtime.broker
    if isinstance(broker, MemoryBroker):

        async def held() -> int:
            return len(broker._subscriptions)  # pyright: ignore[reportPrivateUsage]

        return held
    port: int = request.getfixturevalue("monitored")[1]

    def asked() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/subsz", timeout=5) as answer:
            return int(json.load(answer)["num_subscriptions"])

    async def counted() -> int:
        await broker.drained()
        return await asyncio.to_thread(asked)

    return counted
