"""`pavane project`: every role's own side of a protocol."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from ..language.draw import how_many, machine_json, machine_text
from ..language.machine import Machine
from ..language.projection import Projection
from .exits import verb
from .options import Bind, Files, Json, Strict, bindings
from .protocols import Judged, judge, refuse
from .protocols import project as projected
from .screen import output, say, write_json


def install(app: typer.Typer) -> None:
    app.command()(project)


@verb
def project(files: Files, strict: Strict = False, bind: Bind = None, json: Json = False) -> None:
    """Project protocols: what each role may do, step by step; `!` sends and `?` receives.

    A family has one machine for all instances that take part in the same steps; --bind gives
    open sizes and bounds a value.

    [dim]Examples:[/dim]
      pavane project market.choreo
      pavane project threshold.choreo --bind Signers=5 --bind threshold=3 --json
    """
    values = bindings(bind)
    judged = judge(files, values, strict=strict)
    results = [(one, projected(one.compiled, values)) for one in judged if one.compiled]
    if json:
        write_json({"protocols": [as_json(one, projection) for one, projection in results]})
    else:
        for one, projection in results:
            _write(one, projection)
    refuse(judged)


def as_json(judged: Judged, projection: Projection) -> dict[str, Any]:
    """One entry of the answer to `project --json`.

    A family of several classes has one entry for each, named like `Signers[0..threshold]`.
    """
    return {
        "file": judged.source.file,
        "name": judged.name,
        "namespace": judged.namespace,
        "roles": {
            title(machine, machines): machine_json(machine)
            for machines in projection.machines.values()
            for machine in machines
        },
    }


def title(machine: Machine, machines: tuple[Machine, ...]) -> str:
    """The role's name, or the class's where the role has several."""
    return machine.role if len(machines) == 1 else machine.name


def _write(judged: Judged, projection: Projection) -> None:
    say(Text.assemble((judged.full_name, "bold"), (f" ({judged.source.file})", "dim")))
    for machines in projection.machines.values():
        for machine in machines:
            output().print(_table(machine))
    say()


def _table(machine: Machine) -> Table:
    """One column, so that a narrow terminal only ever breaks a long label."""
    many = "" if machine.start is None else f"  ({how_many(machine)})"
    table = Table(
        title=Text.assemble((machine.name, "bold cyan"), (many, "dim")),
        title_justify="left",
        show_header=False,
        box=None,
        padding=(0, 1),
    )
    table.add_column(overflow="fold", min_width=len(machine.name) + len(many))
    table.add_row(Text(machine_text(machine) or "   0  final"))
    return table
