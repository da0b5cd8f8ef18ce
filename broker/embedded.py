"""A nats-server of our own, on loopback, that ends with us.

It has a port that was free and a store that is removed at the end, unless either is given. It
does not get the terminal's Ctrl-C, as we still speak to it while we stop; should we be killed,
the kernel ends it, and the next server that starts removes its store (both on Linux).
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from .binary import nats_server
from .errors import PortInUse, ServerFailed
from .store import Hold, own_store

HOST = "127.0.0.1"
_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 5.0
_POLL = 0.005
_PR_SET_PDEATHSIG = 1


def _with_parent() -> Callable[[], None] | None:
    """What the child does before the program starts, so that it dies when the thread that
    starts it does: on Linux alone. Loaded here, as a child after fork should load nothing."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent


class Server:
    """One nats-server. Use it as an async context manager, or `start` and `stop` it.

    `store` is a directory that is kept; `port` a fixed one; `routes` makes it node `name` of a
    cluster that listens for the others on `cluster_port`. `sync` are the seconds between two writes of
    what is stored to the disk, 0 for each record before it is acknowledged, and None for the
    server's own two minutes: what a power cut may cost.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        store: Path | None = None,
        name: str = "pavane",
        cluster_port: int | None = None,
        routes: tuple[int, ...] = (),
        sync: float | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self._fixed_port = port
        self._kept_store = store.absolute() if store is not None else None
        self._name = name
        self._cluster_port = cluster_port
        self._routes = routes
        self._sync = sync
        self._arguments = arguments
        self._own: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping: asyncio.Future[None] | None = None
        self._hold: Hold | None = None
        self._own_hold: Hold | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Return when it accepts connections. Raises `PortInUse`, `StoreInUse`, `ServerFailed`."""
        self._stopping = None
        if self._fixed_port is not None:
            _check_free(self._fixed_port)
        if self._kept_store is not None and self._hold is None:
            self._hold = Hold(self._kept_store)
        if self._own is None:
            self._own, self._own_hold = own_store()
        atexit.register(self._abandon)
        try:
            self._spawn(self._own)
            await self._ready(self._own)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the process and remove what is ours. May be called twice; cancelled, it ends its
        work first."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        try:
            await asyncio.shield(self._stopping)
        except asyncio.CancelledError:
            await asyncio.wait([self._stopping])
            raise

    async def kill(self) -> None:
        """End it as a crash does, and keep its store so that `start` finds what was written."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def terminate(self) -> None:
        """End it cleanly, and keep its store so that `start` goes on with it."""
        process = self._process
        if process is None:
            return
        process.terminate()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STOP_TIMEOUT
        while process.poll() is None:
            if loop.time() > deadline:
                process.kill()
                process.wait()
            await asyncio.sleep(_POLL)
        self._process = None

    async def _stop(self) -> None:
        await self.terminate()
        atexit.unregister(self._abandon)
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None
        for hold in (self._hold, self._own_hold):
            if hold is not None:
                hold.release()
        self._hold = self._own_hold = None

    def _abandon(self) -> None:
        """At interpreter exit, when nobody stopped it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def _spawn(self, own: Path) -> None:
        (own / "log").unlink(missing_ok=True)
        for old in own.glob("*.ports"):
            old.unlink()
        self._process = subprocess.Popen(
            self._command(own),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=own,
            start_new_session=True,
            preexec_fn=_with_parent(),  # noqa: PLW1509 (two system calls, no locks)
        )

    def _command(self, own: Path) -> list[str]:
        store = self._kept_store or own / "store"
        port = self._fixed_port or self.port or -1
        command = [str(nats_server()), "-a", HOST, "-p", str(port), "-js", "-sd", str(store)]
        command += ["--ports_file_dir", str(own), "-l", str(own / "log"), "-n", self._name]
        if self._cluster_port is not None:
            command += ["--cluster_name", "pavane"]
            command += ["--cluster", f"nats://{HOST}:{self._cluster_port}"]
            command += ["--routes", ",".join(f"nats://{HOST}:{port}" for port in self._routes)]
        if self._sync is not None:
            # There is no option for it.
            settings = own / "server.conf"
            interval = f"{self._sync:g}s" if self._sync else "always"
            settings.write_text(f'jetstream {{ sync_interval: "{interval}" }}\n', encoding="ascii")
            command += ["-c", str(settings)]
        return [*command, *self._arguments]

    async def _ready(self, own: Path) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_TIMEOUT
        assert self._process is not None
        while loop.time() < deadline:
            if self._process.poll() is not None:
                raise self._failed(own)
            if (port := _port_from(own / f"nats-server_{self._process.pid}.ports")) is not None:
                self.port = port
                return
            await asyncio.sleep(_POLL)
        raise ServerFailed(f"nats-server was not ready in {_START_TIMEOUT:g} s")

    def _failed(self, own: Path) -> ServerFailed:
        log = own / "log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        fatal = [line.partition("] ")[2] for line in lines if "[FTL]" in line or "[ERR]" in line]
        detail = "; ".join(fatal[-2:]) or "it printed nothing"
        if "address already in use" in detail and self._fixed_port is not None:
            return PortInUse(HOST, self._fixed_port)
        return ServerFailed("nats-server ended at once", detail=detail)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise PortInUse(HOST, port) from None


def _port_from(path: Path) -> int | None:
    """The port that the server wrote, or None: the file appears before all of it is written."""
    try:
        url = json.loads(path.read_text())["nats"][0]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return int(url.rpartition(":")[2])


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that were free a moment ago; another process may take one first."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()


@asynccontextmanager
async def cluster(size: int = 3) -> AsyncGenerator[list[Server]]:
    """`size` servers with JetStream in one cluster on loopback; all end with the block.

    They have fixed ports, so that one that is killed and started again is the same node.
    """
    ports = free_ports(2 * size)
    clients, routes = ports[:size], ports[size:]
    servers = [
        Server(port=clients[i], name=f"node-{i + 1}", cluster_port=routes[i], routes=routes)
        for i in range(size)
    ]
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        yield servers
