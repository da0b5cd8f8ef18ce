"""The command `pavane`: one file per verb, all of the same anatomy.

A verb declares its options, calls the floors below, and writes. What goes wrong is raised as a
`PavaneError` and becomes a sentence and an exit code in one place, `exits.verb`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the installed command."""
    try:
        from .app import build

        build(sys.argv[1:])(prog_name="pavane")
    except KeyboardInterrupt:
        # Here only before a verb has begun: loading takes a moment, too.
        print("Interrupted before anything had begun.", file=sys.stderr)
        sys.exit(130)
