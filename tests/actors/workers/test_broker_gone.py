"""A server that is killed and comes back: its workers wait for it, and go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.broker.embedded import Server
from pavane.effects.journal.history.reading import History

from .conftest import Crew


async def test_a50_workers_outlive_their_server(tmp_path: Path, unique: str) -> None:
    server = Server(store=tmp_path / "store")
    await server.start()
    crew = Crew(server.url, tmp_path, unique)
    try:
        crew.start("only", lease=5.0)
        async with pavane.open(server.url) as starter:
            talk = crew.load("Talk")
            given = {"rounds": 40, "pause": 0.03}
            handle = await starter.start(talk, bindings={"rounds": 40}, input=given, patience=30)
            await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
            await server.kill()
            await asyncio.sleep(0.5)
            await server.start()
            assert len((await handle.wait(40))["Asker"]) == 40
            found = await audit(starter.broker, handle.place, History(starter.broker))
            assert found.faults == []
            assert found.charged == 8 * 40
            next_one = await starter.start(talk, bindings={"rounds": 1}, input={"rounds": 1})
            assert len((await next_one.wait(20))["Asker"]) == 1
        assert await crew.drain("only") == 0
    finally:
        crew.close()
        await server.stop()


@pytest.mark.parametrize("pause", [0.0, 1.5], ids=["at once", "after its lease"])
async def test_a_worker_that_is_drained_without_its_server_says_what_it_leaves(
    tmp_path: Path, unique: str, pause: float
) -> None:
    """It can neither end its units nor hand them over; it ends all the same, and the next one goes on."""
    server = Server(store=tmp_path / "store")
    await server.start()
    crew = Crew(server.url, tmp_path, unique)
    try:
        crew.start("first", grace=0.2)
        async with pavane.open(server.url) as starter:
            given = {"rounds": 30, "pause": 0.1}
            handle = await starter.start(
                crew.load("Talk"), bindings={"rounds": 30}, input=given, patience=30
            )
            await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
            await server.kill()
            await asyncio.sleep(pause)
            assert await crew.drain("first") == 0, crew.logs()
            said = (crew.folder / "first.log").read_text()
            assert "0 handed over, 2 left, which others take when the lease is over" in said
            await server.start()
            crew.start("second")
            assert len((await handle.wait(40))["Asker"]) == 30
    finally:
        crew.close()
        await server.stop()
