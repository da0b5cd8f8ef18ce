"""Whose sessions a command is about: those of a server, a namespace, or one protocol.

A connection with permissions for one protocol is refused what reaches further, so that nothing is
asked beyond the scope.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer

from ..actors.durable.names import Place
from ..actors.durable.names import namespaces as having_sessions
from ..broker.contract import Broker
from ..broker.errors import Forbidden
from ..broker.subjects import namespace_token, token
from .brokers import options
from .errors import UsageError

Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="[NAMESPACE.]NAME",
        help="Only this protocol; nothing is asked beyond it. Default: all.",
    ),
]


@dataclass(frozen=True, slots=True)
class Scope:
    """`protocol` is empty for all. Made by `scope`."""

    namespace: str | None = None
    protocol: str = ""

    async def namespaces(self, broker: Broker) -> list[str]:
        """The one, or all that have a log: those without workers need help most."""
        if self.namespace is not None:
            return [self.namespace]
        return await having_sessions(broker)

    def has(self, protocol: str) -> bool:
        return self.protocol in ("", protocol)


def scope(namespace: str | None, protocol: str | None) -> Scope:
    """What the two options say. Raises `UsageError` where they contradict each other, and
    `BadSubject` for what cannot be a name."""
    space, _, name = (protocol or "").rpartition(".")
    if protocol is not None:
        token(name)
    if space and namespace is not None and space != namespace:
        raise UsageError(
            f"--protocol {protocol} is not in --namespace {namespace}",
            hint="leave one of them out",
        )
    return Scope(space or namespace, name)


@contextmanager
def asking() -> Generator[None]:
    """Where the server does not permit what is asked, say how to ask for less."""
    try:
        yield
    except Forbidden as error:
        error.hint = (
            "use credentials whose permissions include it, pavane-operator's say, or ask for one "
            "protocol alone: --protocol NAMESPACE.NAME"
        )
        raise


def named(place: Place) -> str:
    """A session as it is written after a verb that is recommended: for a connection with
    permissions, with its protocol."""
    if not options(None, allow_remote=False).is_scoped:
        return place.session
    return f"{place.session} --protocol {namespace_token(place.namespace)}.{place.protocol}"
