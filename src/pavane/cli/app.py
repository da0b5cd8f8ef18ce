"""The verbs of the command `pavane`, put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from .. import __version__
from .logs import LogLevel, configure

VERBS = (
    "new",
    "check",
    "format",
    "diff",
    "project",
    "draw",
    "generate",
    "refine",
    "explore",
    "run",
    "simulate",
    "worker",
    "start",
    "workers",
    "scale",
    "sessions",
    "cancel",
    "retry",
    "replay",
    "journal",
    "budget",
    "capability",
    "server",
    "permissions",
    "lsp",
)

VERSION = ["--version"]
LEVELS = frozenset(level.value for level in LogLevel)

EPILOG = (
    "Exit codes: 0 done, 1 a protocol was refused, 2 wrong usage, 3 a run failed, "
    "4 cannot be decided, 130 interrupted."
)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command with the verb that the arguments name, or with all of them, for help.

    Each verb is a module with a function `install`. Importing only the one that is needed
    halves the time until the command does something; who asks for the version needs none.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
    )
    app.callback()(pavane)
    asked = next((a for a in arguments if not a.startswith("-") and a not in LEVELS), None)
    for verb in (asked,) if asked in VERBS else () if arguments == VERSION else VERBS:
        try:
            install = import_module(f".{verb}", __package__).install
        except ModuleNotFoundError as missing:
            _explain(app, verb, missing.name or "")
        else:
            install(app)
    return app


def _explain(app: typer.Typer, verb: str, package: str) -> None:
    """In place of a verb that cannot be loaded: the other verbs and the help still work."""
    if package.startswith("pavane"):
        raise AssertionError(f"pavane {verb} needs {package}, a part of Pavane that is missing")

    def unavailable() -> None:
        print(f"error: pavane {verb} needs {package}, which is not installed", file=sys.stderr)
        raise typer.Exit(2)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    told = f"Not available: {package} is not installed."
    app.command(verb, help=told, context_settings=settings)(unavailable)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pavane {__version__}")
        raise typer.Exit


def pavane(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            "--log-level",
            envvar="PAVANE_LOG_LEVEL",
            help="Log on the standard error; debug has every message, and never a payload.",
        ),
    ] = None,
    log_json: Annotated[
        bool,
        typer.Option("--log-json", envvar="PAVANE_LOG_JSON", help="Log JSON, one object a line."),
    ] = False,
) -> None:
    """Check a multiparty protocol, look at every role's side of it, and run it on NATS."""
    if log_level is not None or log_json:
        configure(log_level or LogLevel.INFO, as_json=log_json)
