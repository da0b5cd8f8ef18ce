"""`pavane budget`: what the roles of a protocol may spend, have spent, and have receipts for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, File, Files, Json, Name, Store, Url

app = typer.Typer(
    help="Set, show and rotate the budgets of a protocol, and check its receipts.",
    no_args_is_help=True,
)

Leakage = Annotated[
    list[str] | None,
    typer.Option("--leakage", metavar="OBSERVER=N", help="What a class of observers may learn."),
]


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="budget")


@app.callback()
def budget() -> None:
    """Set, show and rotate the budgets of a protocol, and check its receipts."""


@app.command()
@verb
def show(
    files: Files,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Show limit, spent and epoch of each role's budget, and of what observers may learn.

    "Held" is what running processes have drawn ahead: it counts as spent until they give it back.

    [dim]Example:[/dim]
      pavane budget show admin.choreo --store .store
    """
    from .levels import show

    show(files, url, store, allow_remote=allow_remote, json=json)


@app.command()
@verb
def set(
    file: File,
    limits: Annotated[
        list[str] | None, typer.Argument(metavar="ROLE=N...", help="What a role may spend.")
    ] = None,
    leakage: Leakage = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="TIME",
            help="An epoch of these budgets is so long: 30m, 12h, 7d; `none` for no end.",
        ),
    ] = None,
    name: Name = None,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Set limits; what is spent stays. A limit below that is refused (exit code 3).

    [dim]Examples:[/dim]
      pavane budget set admin.choreo Admin=5000 User=1000 --store .store
      pavane budget set survey.choreo --leakage external=10 --window 1h --store .store
    """
    from .budgeting import Where, define

    where = Where(url, store, allow_remote)
    define(file, name, limits or [], leakage or [], window, where, json=json)


@app.command()
@verb
def rotate(
    file: File,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Only this role's budget; repeat for more."),
    ] = None,
    name: Name = None,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Begin the next epoch: nothing is spent, and the receipts until now are void.

    [dim]Example:[/dim]
      pavane budget rotate admin.choreo --role Admin --store .store
    """
    from .budgeting import Where, rotate

    rotate(file, name, role or [], Where(url, store, allow_remote), json=json)


@app.command()
@verb
def verify(
    file: File,
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Public keys, one a line: receipts signed by others fail.",
        ),
    ] = None,
    name: Name = None,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Check every receipt in the journal, and that budgets have charged what these say.

    Exits with 3 where one is not what it was, or a budget has charged less.

    [dim]Example:[/dim]
      pavane budget verify admin.choreo --store .store
    """
    from .budgeting import Where, verify

    verify(file, name, trust, Where(url, store, allow_remote), json=json)
