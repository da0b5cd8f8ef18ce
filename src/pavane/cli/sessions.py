"""`pavane sessions`: the durable sessions of a server, those that need help first."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import Namespace, ServerUrl
from .options import AllowRemote, Json

app = typer.Typer()


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="sessions")


Ended = Annotated[bool, typer.Option("--all", help="Also those that are over.")]


@app.callback(invoke_without_command=True)
@verb
def sessions(
    context: typer.Context,
    namespace: Namespace = None,
    all_: Ended = False,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """List durable sessions, those that need help first, or show one."""
    if context.invoked_subcommand is None:
        from .inspecting import list_all

        list_all(url, namespace, ended=all_, allow_remote=allow_remote, json=json)


@app.command("list")
@verb
def list_sessions(
    namespace: Namespace = None,
    all_: Ended = False,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """List the sessions: state, age, how long nothing has happened, and what is wrong.

    [dim]Example:[/dim]
      pavane sessions list --all
    """
    from .inspecting import list_all

    list_all(url, namespace, ended=all_, allow_remote=allow_remote, json=json)


@app.command("verify")
@verb
def verify_session(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    namespace: Namespace = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Look through a session's log: is every message, step, charge and fact there, once?

    [dim]Example:[/dim]
      pavane sessions verify 1f2e3d
    """
    from .auditing import verify

    verify(url, namespace, session, allow_remote=allow_remote, json=json)


@app.command("show")
@verb
def show_session(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    namespace: Namespace = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Show who plays what, and where every role stands in its machine.

    [dim]Example:[/dim]
      pavane sessions show 1f2e3d
    """
    from .inspecting import show

    show(url, namespace, session, allow_remote=allow_remote, json=json)
