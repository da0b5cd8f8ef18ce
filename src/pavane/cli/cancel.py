"""`pavane cancel`: end a durable session before its time."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import Namespace, ServerUrl
from .options import AllowRemote, Json
from .scope import Protocol, scope


def install(app: typer.Typer) -> None:
    app.command()(cancel)


@verb
def cancel(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    reason: Annotated[
        str, typer.Option("--reason", help="What its roles and its starter are told.")
    ] = "cancelled by an operator",
    namespace: Namespace = None,
    protocol: Protocol = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Cancel a session: every role is told at its next step, and nothing more is sent.

    [dim]Example:[/dim]
      pavane cancel 1f2e3d --reason "ordered twice"
    """
    from .mending import cancel_session

    cancel_session(
        url, scope(namespace, protocol), session, reason, allow_remote=allow_remote, json=json
    )
