"""A store that is kept belongs to one process at a time."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
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


async def test_a_relative_store_is_below_the_folder_of_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not below that of its server, which is removed at the end."""
    monkeypatch.chdir(tmp_path)
    options = ConnectOptions(store="kept")
    for count in (1, 2):
        broker = await connect("embedded", options=options)
        await broker.ensure_stream("S", ["s.>"])
        assert await broker.append("S", "s.a", b"kept") == count
        await broker.close()
    assert (tmp_path / "kept" / "jetstream").is_dir()


async def test_a_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    options = ConnectOptions(store=str(tmp_path / "file" / "store"))
    with pytest.raises(StoreUnusable, match="cannot be used"):
        await connect("embedded", options=options)


KILLED = """
import asyncio, os, signal
from pavane.broker.embedded import Server

async def main():
    async with Server():
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the server may outlive its parent")
async def test_the_store_of_a_killed_process_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED)
    await killed.wait()
    (left,) = tmp_path.glob("pavane-nats-*")
    async with Server() as held:
        assert held.pid is not None
        assert left.exists(), "it may just be on its way to being locked"
        for place in tmp_path.glob("pavane-nats-*"):
            os.utime(place, (0, 0))
        async with Server():
            assert not left.exists()
            assert len(list(tmp_path.glob("pavane-nats-*"))) == 2
    assert not list(tmp_path.glob("pavane-nats-*"))
