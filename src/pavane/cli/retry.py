"""`pavane retry`: put what nobody could play back on the queue."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import Namespace, ServerUrl
from .options import AllowRemote, Json
from .scope import Protocol, scope


def install(app: typer.Typer) -> None:
    app.command()(retry)


@verb
def retry(
    session: Annotated[str, typer.Argument(help="The session's id; none with --all.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="All sessions that have such units.")] = False,
    namespace: Namespace = None,
    protocol: Protocol = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Put the dead units of a session back on the queue, once their reason is gone.

    A unit is dead when its workers died of it again and again, or their code did not fit its
    log. `pavane sessions` shows which, and why.

    [dim]Example:[/dim]
      pavane retry 1f2e3d
    """
    from .errors import UsageError
    from .mending import retry_dead

    if bool(session) == all_:
        raise UsageError("which session?", hint="give its id, or --all")
    retry_dead(url, scope(namespace, protocol), session, allow_remote=allow_remote, json=json)
