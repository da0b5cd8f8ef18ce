"""A store that is kept belongs to one process at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.broker.errors import StoreInUse, StoreUnusable
from pavane.broker.options import ConnectOptions


async def test_a_second_server_on_one_store_is_refused(tmp_path: Path) -> None:
    async with Server(store=tmp_path):
        with pytest.raises(StoreInUse, match="is in use by process"):
            async with Server(store=tmp_path):
                pass
    async with Server(store=tmp_path) as again:
        assert again.port


async def test_a_store_outlives_kill_and_start(tmp_path: Path) -> None:
    server = Server(store=tmp_path)
    await server.start()
    await server.kill()
    await server.start()
    assert server.pid is not None
    await server.stop()


async def test_a_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    options = ConnectOptions(store=str(tmp_path / "file" / "store"))
    with pytest.raises(StoreUnusable, match="cannot be used"):
        await connect("embedded", options=options)
