"""`pavane start`: start a durable session, for workers to play."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import ServerUrl
from .options import AllowRemote, Bind, Extensions, JsonLines, Name, Telemetry


def install(app: typer.Typer) -> None:
    app.command()(start)


@verb
def start(
    protocol: Annotated[
        str, typer.Argument(metavar="FILE|MODULE:PROTOCOL", help="A protocol file, or a variable.")
    ],
    bind: Bind = None,
    session: Annotated[
        str | None,
        typer.Option("--session", metavar="ID", help="Its id; the same again starts it once."),
    ] = None,
    given: Annotated[
        str | None,
        typer.Option("--input", metavar="JSON", help="What every role finds in `me.input`."),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait until it is over, and print what it came to, and what keeps it meanwhile.",
        ),
    ] = False,
    patience: Annotated[
        float,
        typer.Option("--patience", min=0.0, help="Seconds to wait for workers of every role."),
    ] = 5.0,
    registry: Extensions = None,
    name: Name = None,
    url: ServerUrl = None,
    telemetry: Telemetry = False,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Start a session; it goes on whoever dies, and this command need not stay.

    It is admitted first: counts bound, a worker for every role, in this version or one that can
    stand in for it, with the capabilities that its steps ask for.

    [dim]Examples:[/dim]
      pavane start shop.choreo --input '{"order": 17}'
      pavane start shop:orders --session order-17 --wait
    """
    from .beginning import Beginning, begin
    from .options import bindings

    begin(
        Beginning(
            protocol=protocol,
            name=name,
            bindings=bindings(bind),
            session=session,
            given=given,
            wait=wait,
            patience=patience,
            url=url,
            registry=registry,
            telemetry=telemetry,
            allow_remote=allow_remote,
            json=json,
        )
    )
