"""A live session and a broker that goes away: nothing is lost or doubled if it comes back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.errors import SessionLost
from pavane.actors.live import recovery
from pavane.broker.embedded import Server


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    """A server of the test's own, on a port that it has again after a restart."""
    own = Server(port=free_port())
    await own.start()
    yield own
    await own.stop()


async def restart(server: Server) -> None:
    await server.kill()
    await server.start()


COUNT = 30_000
STREAM = """protocol Stream { roles: A, B;
  loop (count: N) { A -> B: Item(int); } B -> A: Sum(int); }"""


async def test_a_restart_in_the_middle_of_a_stream_loses_and_doubles_nothing(
    server: Server,
) -> None:
    restarts = 0

    async def a(me: Endpoint) -> int:
        for number in range(COUNT):
            await me.send("Item", number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        return int(await me.receive("Sum"))

    async def b(me: Endpoint) -> None:
        nonlocal restarts
        total = 0
        for number in range(COUNT):
            if number in (5_000, 15_000):
                restarts += 1
                await restart(server)
            item = await me.receive("Item")
            assert item == number
            total += item
        await me.send("Sum", total)

    async with pavane.open(server.url) as runtime, asyncio.timeout(30):
        outcome = await runtime.run(pavane.load(STREAM).bind(N=COUNT), A=a, B=b)
    assert restarts == 2
    assert outcome["A"] == COUNT * (COUNT - 1) // 2


async def test_what_is_said_while_the_broker_is_away_arrives_later(server: Server) -> None:
    text = "protocol P { roles: A, B; A -> B: One; A -> B: Two; B -> A: Three; }"

    async def a(me: Endpoint) -> None:
        await me.send("One")
        await asyncio.sleep(0.1)
        await server.kill()
        await asyncio.sleep(0.1)
        await me.send("Two")
        await asyncio.sleep(0.1)
        await server.start()
        await me.receive("Three")

    async def b(me: Endpoint) -> None:
        await me.receive("One")
        await me.receive("Two")
        await me.send("Three")

    async with pavane.open(server.url) as runtime, asyncio.timeout(20):
        outcome = await runtime.run(pavane.load(text), A=a, B=b)
    assert outcome.tallies["B"].received == 2


async def test_a_broker_that_stays_away_ends_the_session_with_the_reason(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", 0.5)

    async def a(me: Endpoint) -> None:
        await me.send("Item", 1)
        await server.kill()
        await me.receive("Sum")

    async def b(me: Endpoint) -> None:
        await me.receive("Item")
        await asyncio.sleep(60)

    async with pavane.open(server.url) as runtime, asyncio.timeout(20):
        with pytest.raises(SessionLost, match=r"cut.*not back within 0\.5 s"):
            await runtime.run(pavane.load(STREAM).bind(N=1), A=a, B=b)


async def test_where_order_cannot_be_had_again_the_session_ends(server: Server) -> None:
    text = """protocol P { roles: A, W[3];
      A -> W[*]: All; A -> W[1]: One; W[1] -> A: Done; }"""

    async def a(me: Endpoint) -> None:
        await me.send("All")
        await restart(server)
        await me.send("One")
        await me.receive("Done")

    async def w(me: Endpoint) -> None:
        await me.receive("All")
        if me.index == 1:
            await me.receive("One")
            await me.send("Done")

    async with pavane.open(server.url) as runtime, asyncio.timeout(20):
        with pytest.raises(SessionLost, match="to one W and to all"):
            await runtime.run(pavane.load(text), A=a, W=w)
