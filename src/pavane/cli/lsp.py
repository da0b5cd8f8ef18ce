"""`pavane lsp`: the language server that editors start."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from .errors import UsageError
from .exits import verb


def install(app: typer.Typer) -> None:
    app.command()(lsp)


@verb
def lsp(
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Accepted because editors give it; there is no other.")
    ] = True,
) -> None:
    """Serve an editor over standard input and output, as the Language Server Protocol says.

    Editors start it themselves; see the folder editors/ for Visual Studio Code.

    [dim]Example:[/dim]
      pavane lsp
    """
    del stdio
    if find_spec("pygls") is None or find_spec("lsprotocol") is None:
        raise UsageError(
            "the language server needs pygls, which is not installed",
            hint='install it with `pip install "pavane[lsp]"`',
        )
    from ..lsp.server import serve

    # What goes wrong is for the editor's own log, which is the standard error.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    sys.exit(serve())
