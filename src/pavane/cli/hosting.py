"""The embedded server kept alive for `pavane server`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from rich.text import Text

from ..broker.embedded import Server
from ..broker.errors import ServerFailed
from .brokers import address
from .loop import play
from .screen import complaints, say, write_json_line
from .signals import Terminated

WATCH = 0.5
"""Seconds between two looks at whether the server is still there."""


def host(port: int, store: Path | None, sync: float | None, *, json: bool) -> None:
    """Serve until SIGTERM, which is the proper end, or Ctrl-C."""
    address(None, store)

    async def main() -> None:
        kept = None if store is None else store.absolute()
        async with Server(port=port or None, store=kept, sync=sync) as server:
            _announce(server, kept, json=json)
            await _watch(server)

    try:
        play(main)
    except Terminated as ended:
        if ended.number != signal.SIGTERM:
            raise
        say("The server has ended.", console=complaints())


def _announce(server: Server, store: Path | None, *, json: bool) -> None:
    if json:
        write_json_line({"url": server.url, "pid": server.pid, "store": str(store or "")})
        return
    kept = f"its streams are kept in {store}" if store else "its streams are gone when it ends"
    say(Text.assemble(("serving ", "bold green"), (server.url, "bold"), f", {kept}"))
    say(Text(f"  pavane run FILE --url {server.url}", style="dim"))
    say(Text("Ctrl-C ends it.", style="dim"))
    sys.stdout.flush()


async def _watch(server: Server) -> None:
    """Return never; raises `ServerFailed` when the process is gone by itself."""
    while True:
        await asyncio.sleep(WATCH)
        if server.pid is None or not _is_alive(server.pid):
            raise ServerFailed("nats-server has ended by itself")


def _is_alive(pid: int) -> bool:
    """Whether our child runs; one that has ended and was not waited for is a zombie."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
