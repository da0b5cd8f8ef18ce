"""The verbs of the command `pavane`, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import check, draw, project

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 a protocol was refused, 2 wrong usage, 3 a run failed, "
    "130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pavane {__version__}")
        raise typer.Exit


@app.callback()
def pavane(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Check a multiparty protocol, look at every role's side of it, and run it on NATS."""


app.command("check")(check.check)
app.command("project")(project.project)
app.command("draw")(draw.draw)
