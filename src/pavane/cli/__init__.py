"""The command `pavane`: one file per verb, all of the same anatomy."""

from __future__ import annotations


def main() -> None:
    """The entry point of the installed command."""
    from .app import run

    run()
