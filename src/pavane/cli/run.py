"""`pavane run`: play a protocol with stand-ins, on a real broker, and watch it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import AllowRemote, Bind, Extensions, File, JsonLines, Name, Store, Url


def install(app: typer.Typer) -> None:
    app.command()(run)


@verb
def run(
    file: File,
    bind: Bind = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Decides payloads and branches; the same again is equal.")
    ] = 0,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            metavar="ROLE=CAP,CAP",
            help="Give a role exactly these capabilities. Default: what its steps ask for.",
        ),
    ] = None,
    revoke: Annotated[
        list[str] | None,
        typer.Option("--revoke", metavar="ROLE=CAP", help="Take a capability away from a role."),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="ROLE=N", help="What a role may spend on its messages."),
    ] = None,
    leakage: Annotated[
        list[str] | None,
        typer.Option(
            "--leakage", metavar="OBSERVER=N", help="What a class of observers may learn in all."
        ),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option(
            "--token",
            metavar="ROLE=FILE",
            help="What a role may do, as `pavane capability` has issued it. The others get nothing.",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FILE", help="The public key of who issues the tokens."),
    ] = None,
    endorser: Annotated[
        list[str] | None,
        typer.Option(
            "--endorser", metavar="NAMESPACE=FILE", help="A third party that is believed there."
        ),
    ] = None,
    registry: Extensions = None,
    name: Name = None,
    url: Url = None,
    store: Store = None,
    allow_remote: AllowRemote = False,
    delay: Annotated[
        float,
        typer.Option("--delay", min=0.0, max=60.0, help="Seconds before each step, to watch it."),
    ] = 0.0,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show every stage of the effects and every arrival.")
    ] = False,
    json: JsonLines = False,
) -> None:
    """Run a protocol without code: a stand-in plays each role with sample payloads.

    A capability that is missing or a budget that is exhausted is a denial: exit code 3.

    [dim]Examples:[/dim]
      pavane run market.choreo --seed 7
      pavane run threshold.choreo --bind Signers=5 --bind threshold=3
      pavane run admin.choreo --revoke Admin=admin_access --store .store
    """
    from .options import amounts, bindings, names
    from .rehearsal import Rehearsal, rehearse
    from .targets import registry as registry_of
    from .tokens import entrusted

    rehearse(
        Rehearsal(
            file=file,
            name=name,
            bindings=bindings(bind),
            seed=seed,
            grants=names("--grant", grant),
            revoked=names("--revoke", revoke),
            budgets=amounts("--budget", budget),
            leakage=amounts("--leakage", leakage),
            registry=registry_of(registry),
            authority=entrusted(names("--token", token), root, names("--endorser", endorser)),
            url=url,
            store=store,
            allow_remote=allow_remote,
            delay=delay,
            trace=trace,
            json=json,
        )
    )
