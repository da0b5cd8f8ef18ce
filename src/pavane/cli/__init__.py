"""The command `pavane`: one file per verb, all of the same anatomy.

A verb declares its options, calls the floors below, and writes. What goes wrong is raised as a
`PavaneError` and becomes a sentence and an exit code in one place, `exits.verb`.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper


def main() -> None:
    """The command, once Ctrl-C is taken care of: `pavane_command.main` calls it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A protocol may hold letters that the terminal's encoding has not.
            stream.reconfigure(errors="backslashreplace")
    from .app import build

    build(sys.argv[1:])(prog_name="pavane")
