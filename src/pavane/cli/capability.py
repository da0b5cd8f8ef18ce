"""`pavane capability`: tokens that say who may do what, made, narrowed, looked at and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, Json, Store, Url

app = typer.Typer(
    help="Make, narrow, look at and revoke the tokens that say who may do what.",
    no_args_is_help=True,
)

Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="Where the new token is written.")
]
Token = Annotated[Path, typer.Argument(metavar="TOKEN", help="The file of a token.")]
Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The secret key of the authority.")
]
Root = Annotated[
    Path, typer.Option("--root", metavar="FILE", help="The public key of the authority.")
]
Role = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="Only for this role; repeat for more."),
]
Protocol = Annotated[
    list[str] | None, typer.Option("--protocol", metavar="NAME", help="Only in this protocol.")
]
Session = Annotated[
    list[str] | None, typer.Option("--session", metavar="ID", help="Only in this session.")
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="How long it lasts: 90s, 30m, 12h, 7d."),
]
Capabilities = Annotated[
    list[str], typer.Argument(metavar="CAPABILITY...", help="namespace:name, or a bare name.")
]
Namespace = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help="What bare names belong to.")
]


def install(main: typer.Typer) -> None:
    main.add_typer(app, name="capability")


@app.command()
@verb
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the secret key is written.")],
    show: Annotated[
        bool, typer.Option("--show", help="Print the secret key instead of keeping it.")
    ] = False,
    json: Json = False,
) -> None:
    """Make the key pair of an authority: FILE, for you alone, and FILE.pub for everybody.

    [dim]Example:[/dim]
      pavane capability keygen root.key
    """
    from .tokens import keygen

    keygen(file, show=show, json=json)


@app.command()
@verb
def issue(
    capabilities: Capabilities,
    key: Key,
    out: Out,
    namespace: Namespace = "default",
    role: Role = None,
    protocol: Protocol = None,
    session: Session = None,
    lasting: For = "24h",
    json: Json = False,
) -> None:
    """Issue a token for capabilities. Whoever holds it may use it, so say for which role.

    [dim]Example:[/dim]
      pavane capability issue launch --key root.key --namespace examples --role Pilot -o pilot.token
    """
    from .tokens import Order, issue

    order = Order(capabilities, namespace, role, protocol, session, lasting)
    issue(order, key, out, json=json)


@app.command()
@verb
def attenuate(
    token: Token,
    root: Root,
    out: Out,
    capability: Annotated[
        list[str] | None,
        typer.Option("--capability", metavar="NAME", help="Keep only this one; repeat for more."),
    ] = None,
    namespace: Namespace = "default",
    role: Role = None,
    protocol: Protocol = None,
    session: Session = None,
    lasting: For = None,
    json: Json = False,
) -> None:
    """Make a token that allows less, to hand it on. Needs no secret and no network.

    [dim]Example:[/dim]
      pavane capability attenuate pilot.token --root root.key.pub --for 10m -o short.token
    """
    from .tokens import Order, attenuate

    order = Order(capability, namespace, role, protocol, session, lasting)
    attenuate(order, token, root, out, json=json)


@app.command()
@verb
def endorse(
    token: Token,
    capabilities: Capabilities,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your own secret key.")],
    root: Root,
    out: Out,
    namespace: Namespace = "default",
    lasting: For = None,
    json: Json = False,
) -> None:
    """Add capabilities of your own namespace to somebody's token, as a third party.

    They count where your public key is listed for that namespace.

    [dim]Example:[/dim]
      pavane capability endorse ada.token bank:pay --key bank.key --root root.key.pub -o ada2.token
    """
    from .tokens import Order, endorse

    order = Order(capabilities, namespace, lasting=lasting)
    endorse(order, token, key, root, out, json=json)


@app.command()
@verb
def inspect(
    token: Token,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FILE", help="Also check who has signed it."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a token allows, whom, how long, and the ids by which it is revoked.

    Exits with 3 where --root has not signed it, or no runtime would accept it.

    [dim]Example:[/dim]
      pavane capability inspect pilot.token --root root.key.pub
    """
    from .tokens import inspect

    inspect(token, root, json=json)


@app.command()
@verb
def revoke(
    token: Annotated[
        Path | None, typer.Argument(metavar="[TOKEN]", help="The file of the token.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The secret key of the authority.")
    ] = None,
    id: Annotated[
        list[str] | None,
        typer.Option(
            "--id", metavar="HEX", help="A revocation id, where the token is not at hand."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the revocation.")] = "",
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    json: Json = False,
) -> None:
    """Refuse a token, and all that were made from it, in every process from now on.

    [dim]Example:[/dim]
      pavane capability revoke pilot.token --key root.key --url nats://127.0.0.1:4222
    """
    from .tokens import revoke

    revoke(token, key, id or [], reason, url, store, allow_remote=allow_remote, json=json)
