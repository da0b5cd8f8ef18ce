"""Which broker a verb talks to: from `--url`, `--store` and the environment to a connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from ..broker.connect import connect
from ..broker.contract import Broker
from ..broker.options import ConnectOptions, from_environment
from .errors import UsageError

EMBEDDED = "embedded"

JETSTREAM = "jetstream"
"""What nats-server calls the folder in its store that has the streams."""


def address(url: str | None, store: Path | None) -> str:
    """The address to connect to. Raises `UsageError` for a store that cannot be one, or that is
    given with a server that has its own."""
    if store is not None and store.exists() and not store.is_dir():
        raise UsageError(f"--store {store} is a file", hint="give a directory")
    if store is not None and url not in (None, EMBEDDED):
        raise UsageError(
            f"--store {store} does not go with --url {url}",
            hint="a store belongs to the embedded server; leave one of the two out",
        )
    return url or EMBEDDED


def kept_address(url: str | None, store: Path | None) -> str:
    """The address of something that is there already, for reading it back."""
    if store is None and url in (None, EMBEDDED):
        raise UsageError(
            "which broker? a new embedded server has nothing to read",
            hint="give --store with the directory of an earlier run, or --url nats://host:port",
        )
    if store is not None and not store.is_dir():
        raise UsageError(
            f"there is no store {store}", hint="give the directory that an earlier run was given"
        )
    if store is not None and not (store / JETSTREAM).is_dir():
        # Started on it, the server would make one there, and find it whole.
        raise UsageError(
            f"{store} holds no store", hint="give the directory that an earlier run was given"
        )
    return address(url, store)


def options(store: Path | None, *, allow_remote: bool) -> ConnectOptions:
    """The command line's options, completed from the environment."""
    kept = None if store is None else str(store.absolute())
    return from_environment(ConnectOptions(allow_remote=allow_remote, store=kept))


@asynccontextmanager
async def connected(
    url: str, store: Path | None, *, allow_remote: bool = False
) -> AsyncGenerator[Broker]:
    """A connection that is closed at the end, with the embedded server, if it is one."""
    broker = await connect(url, options=options(store, allow_remote=allow_remote))
    try:
        yield broker
    finally:
        await broker.close()
