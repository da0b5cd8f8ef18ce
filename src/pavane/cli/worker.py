"""`pavane worker`: serve roles of protocols, until it is told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from .departure import departing
from .exits import verb
from .operating import ServerUrl
from .options import AllowRemote, Extensions, JsonLines, Telemetry


def install(app: typer.Typer) -> None:
    app.command()(worker)


@departing
@verb
def worker(
    served: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE:PROTOCOL[.ROLE]...",
            help="What to serve: all roles with a function, one role, or MODULE:FUNCTION.",
        ),
    ],
    url: ServerUrl = None,
    capacity: Annotated[
        int, typer.Option("--capacity", min=1, help="How many instances it plays at once.")
    ] = 1000,
    name: Annotated[
        str, typer.Option("--name", help="What it is called. Default: from host and process.")
    ] = "",
    grace: Annotated[
        float, typer.Option("--grace", min=0.0, help="Seconds that instances get to end.")
    ] = 10.0,
    lease: Annotated[
        float | None,
        typer.Option(
            "--lease",
            min=0.5,
            max=3600.0,
            help="Seconds of silence after which it counts as dead. Default: that of the workers"
            " that are there, or 30.",
        ),
    ] = None,
    attempts: Annotated[
        int,
        typer.Option(
            "--attempts", min=1, help="How often an instance may lose its worker in a row."
        ),
    ] = 5,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            metavar="ROLE=CAP,CAP",
            help="Give a role exactly these capabilities. Default: what its steps ask for.",
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="ROLE=N", help="What a role may spend on its messages."),
    ] = None,
    registry: Extensions = None,
    telemetry: Telemetry = False,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Take instances that `pavane start` puts on the queue, and play them.

    SIGTERM or Ctrl-C drains it: it takes nothing new, gives what runs --grace seconds, hands
    the rest over to other workers and ends with 0. A second signal does not wait.

    [dim]Examples:[/dim]
      pavane worker shop:orders
      pavane worker shop:orders.Seller --capacity 50 --name seller-1
    """
    from .options import amounts, names
    from .serving import Serving, serve

    serve(
        Serving(
            served=served,
            url=url,
            capacity=capacity,
            name=name,
            grace=grace,
            lease=lease,
            attempts=attempts,
            grants=names("--grant", grant),
            budgets=amounts("--budget", budget),
            registry=registry,
            telemetry=telemetry,
            allow_remote=allow_remote,
            json=json,
        )
    )
