"""`pavane permissions`: what each role must be allowed on the NATS server, and no more."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, Files, Url


class Format(StrEnum):
    CONF = "conf"
    JWT = "jwt"
    JSON = "json"


def install(app: typer.Typer) -> None:
    app.command()(permissions)


@verb
def permissions(
    files: Files,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Only this role; repeat for more."),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            "--format", help="Configuration with users, with JWTs (needs --keys), or plain JSON."
        ),
    ] = Format.CONF,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="DIR",
            help="Keep an nkey for each user here, made where it is missing, in place of passwords.",
        ),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The account that the users are in.")
    ] = "PAVANE",
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="TIME", help="With jwt: `90d`, `12h`. Default: never."),
    ] = "",
    live: Annotated[
        bool, typer.Option("--live", help="Only what live sessions need, without workers.")
    ] = False,
    prepare: Annotated[
        bool,
        typer.Option("--prepare", help="Make the streams and budgets at --url, as the operator."),
    ] = False,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="ROLE=N", help="With --prepare: what a role may spend."),
    ] = None,
    leakage: Annotated[
        list[str] | None,
        typer.Option(
            "--leakage", metavar="OBSERVER=N", help="With --prepare: what observers may learn."
        ),
    ] = None,
    lease: Annotated[
        float | None,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            min=0.5,
            max=3600.0,
            help="With --prepare: the silence after which a worker counts as dead. Default: as it"
            " is, or 30.",
        ),
    ] = None,
    url: Url = None,
    allow_remote: AllowRemote = False,
) -> None:
    """Print the permissions of each role: it speaks as itself, reads its own mailbox, and no more.

    Three more users make the streams and look after sessions (pavane-operator), play any role
    (pavane-runtime) and read the journal (pavane-reader). No password is printed, but the variable it comes from.

    [dim]Examples:[/dim]
      pavane permissions market.choreo > users.conf
      pavane permissions market.choreo --format jwt --keys keys --expires 90d > users.conf
      pavane permissions market.choreo --prepare --url tls://nats:4222
    """
    from .options import amounts
    from .permits import Limits, Request, prepare_server, show

    request = Request(
        files=files,
        roles=tuple(role or ()),
        format=format.value,
        keys=keys,
        account=account,
        expires=expires,
        durable=not live,
    )
    if prepare or budget or leakage or lease is not None:
        limits = Limits(amounts("--budget", budget), amounts("--leakage", leakage), lease)
        prepare_server(request, url, limits, allow_remote=allow_remote, asked=prepare)
    else:
        show(request)
