"""`pavane check`: is it a protocol that everyone can follow to its end?"""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from ..language.errors import Diagnostic
from ..language.knowledge import Selection
from .errors import Refused
from .exits import verb
from .options import Bind, Files, Json, Strict, bindings
from .protocols import Judged, judge, project
from .screen import plural, say, write_json


def install(app: typer.Typer) -> None:
    app.command()(check)


@verb
def check(files: Files, strict: Strict = False, bind: Bind = None, json: Json = False) -> None:
    """Check protocols: all mistakes of all files, each with its place and what to write instead.

    Exits with 1 when a protocol is refused.

    [dim]Examples:[/dim]
      pavane check market.choreo
      pavane check --strict --json *.choreo
    """
    values = bindings(bind)
    judged = judge(files, values, strict=strict)
    for one in judged:
        if one.compiled and values:
            project(one.compiled, values)
    if json:
        write_json({"protocols": [as_json(one) for one in judged]})
    else:
        _write(judged)
    refused = sum(not one.verdict.ok for one in judged)
    if refused:
        raise Refused(f"{plural(refused, 'protocol')} refused")


def as_json(judged: Judged) -> dict[str, Any]:
    """One entry of the answer to `check --json`."""
    selections = judged.compiled.selections if judged.compiled else ()
    return {
        "file": judged.source.file,
        "name": judged.name,
        "namespace": judged.namespace,
        "ok": judged.verdict.ok,
        "diagnostics": [diagnostic_json(d) for d in judged.diagnostics],
        "selections": [selection_json(s) for s in selections],
    }


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic with the place where it begins."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "line": diagnostic.span.line,
        "column": diagnostic.span.column,
        "hint": diagnostic.hint,
    }


def selection_json(selection: Selection) -> dict[str, Any]:
    """A message that the compiler added, and the place of the choice that it reports."""
    return {
        "chooser": selection.chooser,
        "receiver": selection.receiver,
        "branch": selection.branch,
        "line": selection.span.line,
        "column": selection.span.column,
    }


def _write(judged: list[Judged]) -> None:
    for one in judged:
        one.show()
        mark = ("ok      ", "bold green") if one.verdict.ok else ("refused ", "bold red")
        say(Text.assemble(mark, f"{one.full_name} ", (f"({one.source.file})", "dim")))
    if len(judged) > 1:
        refused = sum(not one.verdict.ok for one in judged)
        say(f"{plural(len(judged), 'protocol')}, {refused or 'none'} refused")
