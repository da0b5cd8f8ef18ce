"""The options that several verbs share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError

PAIR = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", re.DOTALL)

DIGITS = 16
"""A number of more digits is no count and no budget, and would be slow to read."""

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="Protocol files; `-` reads the standard input."),
]
File = Annotated[str, typer.Argument(help="A protocol file; `-` reads the standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Write JSON for programs: one object per line.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Refuse what needs selection messages that were not written."),
]
Bind = Annotated[
    list[str] | None,
    typer.Option(
        "--bind", metavar="NAME=N", help="Size of a family or value of a bound; repeat for more."
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", help="The protocol to take, when the file has several.")
]
Extensions = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="MODULE:NAME",
        help="An ExtensionRegistry: your own effects and annotation keys.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="PAVANE_URL",
        metavar="URL",
        help="nats://host:port, memory://, or embedded (a server of its own; the default).",
    ),
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote", help="Accept an address beyond loopback without TLS or credentials."
    ),
]
Telemetry = Annotated[
    bool,
    typer.Option(
        "--telemetry",
        envvar="PAVANE_TELEMETRY",
        help="Trace and count with the OpenTelemetry providers that the process has.",
    ),
]
Store = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Where the embedded server keeps its streams."),
]


def bindings(given: Iterable[str] | None) -> dict[str, int]:
    """`Signers=5` as a dictionary; raises `UsageError` for anything else."""
    return _counts("--bind", "Signers=5", given)


def amounts(option: str, given: Iterable[str] | None) -> dict[str, int]:
    """`Client=1000` as a dictionary."""
    return _counts(option, "Client=1000", given)


def names(option: str, given: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """`Admin=admin_access,other` as a dictionary; the list may be empty (`Admin=`)."""
    collected = dict[str, tuple[str, ...]]()
    for text in given or ():
        role, values = _pair(option, "Admin=admin_access", text)
        words = tuple(word.strip() for word in values.split(",") if word.strip())
        collected[role] = (*collected.get(role, ()), *words)
    return collected


def _counts(option: str, example: str, given: Iterable[str] | None) -> dict[str, int]:
    collected = dict[str, int]()
    for text in given or ():
        name, value = _pair(option, example, text)
        if not re.fullmatch(r"[0-9]+", value):
            raise UsageError(
                f"{option} {text}: {value!r} is not a whole number from 0 up",
                hint=f"write it like this: {option} {example}",
            )
        if len(value) > DIGITS:
            raise UsageError(
                f"{option} {name}: a number of {len(value)} digits is too large",
                hint=f"at most {DIGITS} digits are read",
            )
        parsed = int(value)
        if name in collected and collected[name] != parsed:
            raise UsageError(
                f"{option} gives {name} twice, as {collected[name]} and as {parsed}",
                hint="leave one of them out",
            )
        collected[name] = parsed
    return collected


def _pair(option: str, example: str, text: str) -> tuple[str, str]:
    match = PAIR.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{option} {text}: expected a name, an equals sign and a value",
            hint=f"write it like this: {option} {example}",
        )
    return match[1], match[2]
