"""`pavane budget`: what the roles of a protocol have spent and may still spend."""

from __future__ import annotations

import typer

from .exits import verb
from .options import AllowRemote, Files, Json, Store, Url

app = typer.Typer(help="Look at the flow budgets of a protocol's roles.", no_args_is_help=True)


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="budget")


@app.callback()
def budget() -> None:
    """Look at the flow budgets of a protocol's roles."""


@app.command()
@verb
def show(
    files: Files,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Show limit, spent and epoch of each role's budget.

    [dim]Example:[/dim]
      pavane budget show admin.choreo --store .store
    """
    from .levels import show

    show(files, url, store, allow_remote=allow_remote, json=json)
