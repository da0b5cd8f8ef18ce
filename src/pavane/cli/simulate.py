"""`pavane simulate`: many sessions under faults, and the smallest one that goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .exits import verb
from .options import Bind, File, Json, Name


def install(app: typer.Typer) -> None:
    app.command()(simulate)


@verb
def simulate(
    file: File,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODULE:PROTOCOL]",
            help="Who plays: what `@PROTOCOL.role` registered there. Stand-ins play the rest.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, max=10_000_000, help="How many sessions; 1000 unless said."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The first seed; without --seeds, the only one.")
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", metavar="PLAN.toml", help="Faults that strike every session."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", metavar="'KIND ROLE ...'", help="One of them: 'crash Seller after=2'."
        ),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds", metavar="KIND,KIND", help="What a seed may draw; `none` for no faults."
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--most", min=0, max=100, help="The most faults in one session; 3 unless said."
        ),
    ] = None,
    durable: Annotated[
        bool, typer.Option("--durable", help="Sessions kept in a log, which outlive a crash.")
    ] = False,
    calm: Annotated[
        bool, typer.Option("--calm", help="Processes take turns, and all messages take 1 ms.")
    ] = False,
    config: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="MODULE:NAME", help="A SimulationConfig, with your own checks."
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="ROLE=N", help="What a role may spend on its messages."),
    ] = None,
    leakage: Annotated[
        list[str] | None,
        typer.Option(
            "--leakage", metavar="OBSERVER=N", help="What observers may learn; plenty unless said."
        ),
    ] = None,
    bind: Bind = None,
    name: Name = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Write all that happens, with --seed alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Play many sessions in no real time, each under other faults, and check each step.

    The first that goes wrong is made as small as it gets and drawn: exit code 1.

    [dim]Examples:[/dim]
      pavane simulate market.choreo --seeds 10000
      pavane simulate market.choreo shop:market --durable --kinds crash,loss
      pavane simulate market.choreo --seed 17 --fault 'crash Seller after=2' --trace
    """
    from .options import amounts, bindings
    from .simulating import Order, conduct

    conduct(
        Order(
            file=file,
            target=target,
            seeds=seeds,
            seed=seed,
            faults=faults,
            fault=tuple(fault or ()),
            kinds=kinds,
            most=most,
            durable=durable,
            calm=calm,
            config=config,
            budgets=amounts("--budget", budget),
            leakage=amounts("--leakage", leakage),
            bindings=bindings(bind),
            name=name,
            trace=trace,
            json=json,
        )
    )
