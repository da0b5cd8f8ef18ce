"""`pavane check`: is it a protocol that everyone can follow to its end?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import typer
from rich.text import Text

from ..language.errors import Diagnostic, Span
from ..language.knowledge import Selection
from .errors import Refused
from .exits import verb
from .options import Bind, Extensions, Files, Json, Strict, bindings
from .protocols import Judged, judge_all, project
from .screen import complain, plural, say, write_json
from .sources import Unreadable, read_all


def install(app: typer.Typer) -> None:
    app.command()(check)


@verb
def check(
    files: Files,
    strict: Strict = False,
    bind: Bind = None,
    registry: Extensions = None,
    json: Json = False,
) -> None:
    """Check protocols: all mistakes of all files, each with its place and what to write instead.

    Exits with 1 when a protocol is refused, with 2 when a file cannot be read.

    [dim]Examples:[/dim]
      pavane check market.choreo
      pavane check --strict --json *.choreo
    """
    values = bindings(bind)
    sources, missing = read_all(files)
    judged = judge_all(sources, {} if missing else values, strict=strict, keys=_keys(registry))
    for one in judged:
        if one.compiled and values:
            project(one.compiled, values)
    if json:
        entries = [*map(as_json, judged), *map(unreadable_json, missing)]
        write_json({"protocols": sorted(entries, key=lambda e: _place(e["file"], files))})
    else:
        _write(judged)
    if missing:
        for earlier in missing[:-1]:
            complain(earlier.error)
        raise missing[-1].error
    refused = sum(not one.verdict.ok for one in judged)
    if refused:
        raise Refused(f"{plural(refused, 'protocol')} refused")


def _keys(registry: str | None) -> Collection[str]:
    """The annotation keys of the user's own effects."""
    if registry is None:
        return ()
    # Nothing of what runs protocols is needed to check them otherwise.
    from .targets import registry as registry_of

    found = registry_of(registry)
    return found.keys() if found is not None else ()


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


def unreadable_json(missing: Unreadable) -> dict[str, Any]:
    """The entry of a file that is not there; its one diagnostic has no better place."""
    error = missing.error
    nowhere = Span(1, 1, 1, 1)
    said = Diagnostic(error.code, "error", error.message, nowhere, error.hint)
    return {
        "file": missing.file,
        "name": None,
        "namespace": None,
        "ok": False,
        "diagnostics": [diagnostic_json(said)],
        "selections": [],
    }


def _place(file: str, files: list[str]) -> int:
    return files.index("-" if file == "<stdin>" and "-" in files else file)


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
        what = one.full_name if one.name else "not a protocol"
        say(Text.assemble(mark, f"{what} ", (f"({one.source.file})", "dim")))
    if len(judged) > 1:
        refused = sum(not one.verdict.ok for one in judged)
        say(f"{plural(len(judged), 'protocol')}, {refused or 'none'} refused")
