"""`pavane scale`: how many workers Pavane itself keeps for a role, as subprocesses."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import ServerUrl
from .options import AllowRemote, Json


def install(app: typer.Typer) -> None:
    app.command()(scale)


@verb
def scale(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:PROTOCOL", help="The protocol, as for `pavane worker`.")
    ],
    role: Annotated[str, typer.Argument(help="The role to be served.")],
    count: Annotated[int, typer.Argument(metavar="N", min=0, max=256, help="How many workers.")],
    capacity: Annotated[
        int, typer.Option("--capacity", min=1, help="How many instances each plays at once.")
    ] = 1000,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Be the host, instead of starting it.")
    ] = False,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Keep N worker processes for a role on this machine; 0 ends them.

    The first call starts a small host process in the background, which starts workers anew that
    die; the next ones tell it another number. Workers that are too many drain first.

    [dim]Examples:[/dim]
      pavane scale shop:orders Seller 3
      pavane scale shop:orders Seller 0
    """
    from .scaling import Scaling, host, scale_to

    order = Scaling(target, role, count, capacity, url, allow_remote, json)
    if foreground:
        host(order)
    else:
        scale_to(order)
