"""`pavane sessions`: the durable sessions of a server, those that need help first."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .operating import Namespace, ServerUrl
from .options import AllowRemote, Json, JsonLines
from .scope import Protocol, scope

app = typer.Typer()


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="sessions")


Ended = Annotated[bool, typer.Option("--all", help="Also those that are over.")]


@app.callback(invoke_without_command=True)
@verb
def sessions(
    context: typer.Context,
    namespace: Namespace = None,
    protocol: Protocol = None,
    all_: Ended = False,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """List durable sessions, those that need help first, or show one."""
    if context.invoked_subcommand is None:
        from .inspecting import list_all

        list_all(url, scope(namespace, protocol), ended=all_, allow_remote=allow_remote, json=json)


@app.command("list")
@verb
def list_sessions(
    namespace: Namespace = None,
    protocol: Protocol = None,
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

    list_all(url, scope(namespace, protocol), ended=all_, allow_remote=allow_remote, json=json)


@app.command("verify")
@verb
def verify_session(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    namespace: Namespace = None,
    protocol: Protocol = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Look through a session's log: is every message, step, charge and fact there, once?

    [dim]Example:[/dim]
      pavane sessions verify 1f2e3d
    """
    from .auditing import verify

    verify(url, scope(namespace, protocol), session, allow_remote=allow_remote, json=json)


@app.command("purge")
@verb
def purge_sessions(
    sessions: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Sessions that are over.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="All that ended so long ago: 12h, 30d."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="AGE", help="Stay, and look again so often: 1h."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    namespace: Namespace = None,
    protocol: Protocol = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Remove the logs of sessions that are over; until then they are kept.

    What they came to cannot be asked for any more; nor can a session be started under their ids.
    Their journals and budgets stay as they are.

    [dim]Examples:[/dim]
      pavane sessions purge order-17
      pavane sessions purge --older-than 30d --every 1h
    """
    from .purging import Purging, purge

    purge(
        Purging(
            sessions=sessions or [],
            older_than=older_than,
            every=every,
            dry_run=dry_run,
            scope=scope(namespace, protocol),
            url=url,
            allow_remote=allow_remote,
            json=json,
        )
    )


@app.command("show")
@verb
def show_session(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    namespace: Namespace = None,
    protocol: Protocol = None,
    url: ServerUrl = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Show who plays what, and where every role stands in its machine.

    [dim]Example:[/dim]
      pavane sessions show 1f2e3d
    """
    from .inspecting import show

    show(url, scope(namespace, protocol), session, allow_remote=allow_remote, json=json)
