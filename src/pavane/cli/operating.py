"""What the verbs of workers and sessions share: which server, whose tokens, which namespaces."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

import typer

from ..broker.contract import Broker
from ..broker.errors import ServerUnreachable
from ..effects.capability.tokens import Authority
from ..effects.journal.history.keyfile import own_signer
from .brokers import EMBEDDED, connected
from .errors import UsageError
from .logs import LogLevel, configure

SERVER = "nats://127.0.0.1:4222"
"""Where `pavane server` listens unless it is told otherwise."""

ServerUrl = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="PAVANE_URL", metavar="URL", help=f"The server. Default: {SERVER}"
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", help="Only this namespace. Default: all."),
]


def server(url: str | None) -> str:
    """The address. Raises `UsageError` for one that no other process could reach."""
    if url == EMBEDDED or (url is not None and url.startswith("memory:")):
        raise UsageError(
            f"{url} is for one process alone, and workers are several",
            hint="start a server with `pavane server`, and leave --url out",
        )
    return url or SERVER


def logged() -> None:
    """Show warnings, unless --log-level has said what is to be shown."""
    handlers = logging.getLogger("pavane").handlers
    if all(isinstance(handler, logging.NullHandler) for handler in handlers):
        configure(LogLevel.WARNING, as_json=False)


def authority() -> Authority:
    """Who issues the capability tokens of a deployment: the same for all that have its signing
    key (`PAVANE_KEY`, or the user's own), `pavane.open` among them, and for nobody else."""
    return Authority(own_signer().derived(b"authority"))


@contextmanager
def reaching() -> Generator[None]:
    """Where no server is, say which command starts one."""
    try:
        yield
    except ServerUnreachable as error:
        if not error.answers:
            error.hint = "start one with `pavane server`, or give the address of another: --url"
        raise


@asynccontextmanager
async def operating(url: str | None, *, allow_remote: bool) -> AsyncGenerator[Broker]:
    """A connection for looking and for telling."""
    with reaching():
        async with connected(server(url), None, allow_remote=allow_remote) as broker:
            yield broker
