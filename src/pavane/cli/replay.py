"""`pavane replay`: a role played again from the log of a session, away from it."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import ServerUrl
from .options import AllowRemote, Extensions, Json


def install(main: typer.Typer) -> None:
    main.command("replay")(replay)


@verb
def replay(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    target: Annotated[
        str,
        typer.Argument(metavar="MODULE:ROLE", help="As for `pavane worker`: shop:orders.Seller"),
    ],
    registry: Extensions = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Play a role again from the log of a session: does this code do what was done?

    Nothing is sent, charged or called. Try a new version of a role on the sessions that are
    running before it is deployed. Exit code 3 where the code departs from a log.

    [dim]Example:[/dim]
      pavane replay 1f2e3d shop:orders.Seller
    """
    from .replaying import replay_all

    replay_all(session, target, registry, url, allow_remote=allow_remote, json=json)
