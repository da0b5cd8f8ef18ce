"""Three nodes, and `kill -9` for the one that leads the stream of the sessions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import stream
from pavane.actors.errors import SessionAborted, SessionLost
from pavane.broker.embedded import Server, cluster
from pavane.broker.options import ConnectOptions
from pavane.effects.journal.history.reading import History

from .conftest import Crew

ROUNDS = 25
COSTS = {"Asker": 5, "Teller": 3}


@pytest.fixture
async def nodes() -> AsyncIterator[list[Server]]:
    async with cluster(3) as servers:
        yield servers


def address(nodes: list[Server]) -> str:
    return "nats://" + ",".join(node.url.removeprefix("nats://") for node in nodes)


async def leader(nodes: list[Server], name: str) -> Server:
    """The node that leads a stream."""
    client: Any = Client()
    await client.connect([node.url for node in nodes])
    try:
        async with asyncio.timeout(20):
            while True:
                info = await client.jetstream().stream_info(name)
                assert info.cluster is not None
                assert len(info.cluster.replicas or ()) == 2, "there are three replicas"
                if info.cluster.leader:
                    return nodes[int(info.cluster.leader.removeprefix("node-")) - 1]
                await asyncio.sleep(0.1)
    finally:
        await client.close()


async def killing(crew: Crew, nodes: list[Server], times: int) -> None:
    """Two workers, three sessions at a time; the leader is killed while they play, and is started
    again once in a while before, once in a while after they have ended."""
    rng = random.Random(times)
    talk = crew.load("Talk")
    for name in ("a", "b"):
        crew.start(name, lease=3.0, attempts=1000)
    async with pavane.open(crew.url, options=ConnectOptions(replicas=3)) as starter:
        await crew.until(starter, lambda found: len(found) == 2)
        for turn in range(times):
            given = {"rounds": ROUNDS, "pause": 0.02}
            handles = [
                await starter.start(talk, bindings={"rounds": ROUNDS}, input=given, patience=30)
                for _ in range(3)
            ]
            await asyncio.sleep(rng.uniform(0.0, 0.5))
            killed = await leader(nodes, stream(crew.space))
            statuses = [await handle.status() for handle in handles]
            assert any(status.state == "running" for status in statuses), "it is in the middle"
            live = asyncio.create_task(alive(crew, nodes, killed, f"live{turn}"))
            await asyncio.sleep(0.3)
            await killed.kill()
            await asyncio.sleep(rng.uniform(0.2, 3.0))
            await killed.start()
            await live
            for handle in handles:
                await checked(crew, starter, handle)
            for role, cost in COSTS.items():
                level = await starter.budgets.level(f"{crew.space}.Talk", role)
                assert level is not None
                assert level.spent == cost * ROUNDS * 3 * (turn + 1)
    assert all(process.poll() is None for process in crew.processes.values()), crew.logs()


async def alive(crew: Crew, nodes: list[Server], killed: Server, session: str) -> None:
    """A live session whose one process is connected to the node that is killed: it goes on over another
    node, with everything, or ends with an error that says why."""
    text = (
        "protocol Live { roles: A, B; loop (count: 100) { A -> B: Ask(int); B -> A: Tell(int) } }"
    )
    talk = pavane.load(f'#[namespace = "{crew.space}"] {text}')

    async def a(me: pavane.Endpoint) -> list[int]:
        heard: list[int] = []
        for number in range(100):
            await me.send("Ask", number)
            heard.append(await me.receive("Tell"))
            await asyncio.sleep(0.01)
        return heard

    async def b(me: pavane.Endpoint) -> None:
        for _ in range(100):
            await me.send("Tell", await me.receive("Ask"))

    elsewhere = next(node for node in nodes if node is not killed)
    async with pavane.open(killed.url) as one, pavane.open(elsewhere.url) as two:
        ends = await asyncio.gather(
            one.join(talk, session=session, A=a),
            two.join(talk, session=session, B=b),
            return_exceptions=True,
        )
    for end in ends:
        if isinstance(end, pavane.Outcome):
            assert end.values.get("A", list(range(100))) == list(range(100))
        else:
            assert isinstance(end, SessionAborted | SessionLost), end
            assert "sign of life" in str(end) or "broker" in str(end) or "cut" in str(end)


async def checked(crew: Crew, starter: pavane.Runtime, handle: SessionHandle) -> None:
    """The session has ended well, and its log and journals have everything once."""
    try:
        outcome = await handle.wait(60)
    except TimeoutError:
        raise AssertionError(f"{await handle.status()}\n{crew.logs()}") from None
    assert outcome["Asker"] == outcome["Teller"], "what was heard is what was told"
    assert [value // 1000 for value in outcome["Asker"]] == list(range(ROUNDS))
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert found.faults == []
    assert found.is_over
    assert found.messages == 2 * ROUNDS
    assert found.charged == sum(COSTS.values()) * ROUNDS
    assert found.facts == 2 * ROUNDS


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_a50_durable_sessions_outlast_the_leader_of_three_nodes(
    nodes: list[Server],
    tmp_path: Path,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    monkeypatch.setenv("PAVANE_REPLICAS", "3")
    crew = Crew(address(nodes), tmp_path, unique)
    try:
        await killing(crew, nodes, times)
    finally:
        crew.close()
