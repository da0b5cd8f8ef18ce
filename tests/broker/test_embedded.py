from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pavane.broker import binary
from pavane.broker.connect import connect
from pavane.broker.embedded import Server, cluster
from pavane.broker.errors import PortInUse, ServerFailed, ServerUnreachable, StoreUnusable
from pavane.broker.options import ConnectOptions

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory in which all temporary directories are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def listening(pid: int) -> set[str]:
    """The addresses, as the kernel writes them, on which a process listens."""
    inodes = {
        os.readlink(link).removeprefix("socket:[").rstrip("]")
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if os.readlink(link).startswith("socket:[")
    }
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {fields[1] for fields in lines if fields[3] == "0A" and fields[9] in inodes}


@linux
async def test_a60_the_embedded_server_listens_on_loopback_only(temp: Path) -> None:
    async with Server() as server:
        assert server.pid is not None
        assert listening(server.pid) == {f"0100007F:{server.port:04X}"}
    async with cluster(2) as servers:
        for server in servers:
            assert server.pid is not None
            found = listening(server.pid)
            assert len(found) == 2
            assert all(address.startswith("0100007F:") for address in found)


@linux
async def test_nothing_is_left_when_it_ends(temp: Path) -> None:
    broker = await connect("embedded")
    (own,) = temp.iterdir()
    pid = int(next(own.glob("*.ports")).name.removeprefix("nats-server_").removesuffix(".ports"))
    assert alive(pid)
    await broker.close()
    await broker.close()
    assert not alive(pid)
    assert list(temp.iterdir()) == []


@linux
async def test_nothing_is_left_after_an_exception_or_a_cancelled_stop(temp: Path) -> None:
    server = Server()
    pid: int | None = None
    with pytest.raises(RuntimeError, match="mine"):
        async with server:
            pid = server.pid
            raise RuntimeError("mine")
    assert pid is not None
    assert not alive(pid)
    server = Server()
    await server.start()
    pid = server.pid
    assert pid is not None
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await server.stop()
    assert not alive(pid)
    assert list(temp.iterdir()) == []


async def test_a_given_store_is_kept_and_read_again(temp: Path, tmp_path: Path) -> None:
    store = tmp_path / "kept"
    options = ConnectOptions(store=str(store))
    broker = await connect("embedded", options=options)
    await broker.ensure_stream("S", ["s.>"])
    await broker.append("S", "s.a", b"remember")
    await broker.close()
    broker = await connect("embedded", options=options)
    assert [r.payload async for r in broker.read("S")] == [b"remember"]
    await broker.close()
    assert list(temp.iterdir()) == [store]


async def test_a_port_in_use_is_said_and_a_free_one_is_used(temp: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            await connect("embedded", options=ConnectOptions(port=port))
        assert caught.value.port == port
        assert str(port) in str(caught.value)
    async with Server(port=port) as server:
        assert server.url == f"nats://127.0.0.1:{port}"
    assert list(temp.iterdir()) == []


async def test_a_server_that_does_not_start_says_why(temp: Path) -> None:
    with pytest.raises(ServerFailed, match="ended at once"):
        await Server(arguments=("--no-such-flag",)).start()
    store = temp / "a-file"
    store.write_text("")
    with pytest.raises(StoreUnusable, match="a-file cannot be used"):
        await Server(store=store).start()
    assert list(temp.iterdir()) == [store]


def test_no_program_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    def scripts(_name: str) -> str:
        return str(tmp_path)

    def no_files(_name: str) -> None:
        return None

    monkeypatch.setattr("sysconfig.get_path", scripts)
    monkeypatch.setattr("importlib.metadata.files", no_files)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed, match="no nats-server"):
        binary.nats_server()
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert binary.nats_server() == program


RUN = """
    import asyncio, sys
    from pavane.broker.connect import connect
    from pavane.broker.embedded import Server

    async def main():
        if sys.argv[1] == "abandon":
            server = Server()
            await server.start()
            print(server.pid, flush=True)
            return
        async with Server() as server:
            broker = await connect(server.url)
            print(server.pid, flush=True)
            try:
                await asyncio.sleep(30)
            finally:
                await broker.drained()
                await broker.close()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
"""


def program(how: str) -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUN), how],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@linux
async def test_ctrl_c_in_the_terminal_ends_both_in_order(temp: Path) -> None:
    """SIGINT goes to the whole foreground group; the server must outlive our own ending."""
    process, server = program("hold")
    os.killpg(process.pid, signal.SIGINT)
    assert await asyncio.to_thread(process.wait, 10) == 130
    assert not alive(server)
    assert list(temp.iterdir()) == []
    assert process.stdout is not None
    process.stdout.close()


@linux
async def test_a_program_that_forgets_its_server_leaves_nothing(temp: Path) -> None:
    process, server = program("abandon")
    assert await asyncio.to_thread(process.wait, 10) == 0
    assert not alive(server)
    assert list(temp.iterdir()) == []
    assert process.stdout is not None
    process.stdout.close()


@linux
async def test_a_killed_program_takes_its_server_with_it(temp: Path) -> None:
    process, server = program("hold")
    process.kill()
    await asyncio.to_thread(process.wait, 10)
    for _ in range(400):
        if not alive(server):
            break
        await asyncio.sleep(0.01)
    assert not alive(server)
    assert process.stdout is not None
    process.stdout.close()


async def test_a_stopped_server_is_unreachable(temp: Path) -> None:
    async with Server() as server:
        url = server.url
    with pytest.raises(ServerUnreachable):
        await connect(url)
