"""`pavane server`: the embedded NATS server, in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .options import Json, Store


def install(app: typer.Typer) -> None:
    app.command()(server)


@verb
def server(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 4222,
    store: Store = None,
    sync: Annotated[
        str | None,
        typer.Option(
            "--sync",
            metavar="always|AGE",
            help="Write to the disk so often: always, 5s. Default: 2m.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a NATS server with JetStream on loopback until Ctrl-C or SIGTERM ends it.

    Without --store its streams are gone when it ends. With --sync always
    each record is on the disk before it counts as stored.

    [dim]Example:[/dim]
      pavane server --port 4222 --store .store
    """
    from .ages import seconds
    from .hosting import host

    pause = 0.0 if sync == "always" else None if sync is None else seconds("--sync", sync)
    host(port, store, pause, json=json)
