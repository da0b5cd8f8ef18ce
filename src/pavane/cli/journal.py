"""`pavane journal`: read back who sent what when, and prove that nobody has changed it."""

from __future__ import annotations

from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, Json, JsonLines, Store, Url

Session = Annotated[
    str, typer.Option("--session", metavar="ID", help="Only this session, as `run` names it.")
]
Namespace = Annotated[str, typer.Option("--namespace", help="Only this namespace.")]
ProtocolName = Annotated[str, typer.Option("--protocol", help="Only this protocol.")]
Role = Annotated[str, typer.Option("--role", help="Only what this role has sent.")]

app = typer.Typer(
    help="Read the journal back: replay it, query its facts, verify that it is whole.",
    no_args_is_help=True,
)


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="journal")


@app.command()
@verb
def replay(
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Print who sent what when, with charges and facts, and what each role came to.

    The journal is verified first; a broken one is not replayed (exit code 3).

    [dim]Examples:[/dim]
      pavane journal replay --store .store
      pavane journal replay --url nats://127.0.0.1:4222 --session 1f2e3d
    """
    from .chronicle import Query, read, replay

    read(replay, url, store, allow_remote, Query(namespace, protocol, session, role), json=json)


@app.command()
@verb
def query(
    fact: Annotated[str, typer.Argument(help="Only facts of this name.")] = "",
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: JsonLines = False,
) -> None:
    """Print the facts that hold, one a line, as they were recorded.

    [dim]Example:[/dim]
      pavane journal query work_completed --store .store --role Worker1
    """
    from .chronicle import Query, query, read

    read(
        query, url, store, allow_remote, Query(namespace, protocol, session, role, fact), json=json
    )


@app.command()
@verb
def verify(
    session: Session = "",
    namespace: Namespace = "",
    protocol: ProtocolName = "",
    role: Role = "",
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Find and locate every altered, missing or cut off entry; exits with 3 if there is one.

    [dim]Example:[/dim]
      pavane journal verify --store .store
    """
    from .chronicle import Query, read, verify

    read(verify, url, store, allow_remote, Query(namespace, protocol, session, role), json=json)
