"""What must hold for any text whatever: no exception, a bounded time, and sane answers."""

from __future__ import annotations

import time

from pavane.language.compiler import Verdict, verdicts
from pavane.language.draw import machine_json, sequence_text
from pavane.language.errors import ChoreographyError, Diagnostic
from pavane.language.format import format
from pavane.language.parser import parse
from pavane.language.render_diagnostic import render

SECONDS = 10.0
"""Of processor time, for a text of a few kilobytes. Nearly all take a tenth of one; a busy machine
takes several times as long."""


def survives(text: str) -> bool:
    """Whether the text was accepted, or parsed at least. Raises `AssertionError`, or whatever
    the compiler wrongly raised."""
    start = time.process_time()
    judged = verdicts(text)
    for verdict in judged:
        for diagnostic in verdict.diagnostics:
            _sane(diagnostic, text)
        _projects(verdict)
    if not judged[0].protocol:
        assert judged[0].diagnostics, "a text without protocols says so"
    parsed = _formats(text)
    assert time.process_time() - start < SECONDS, f"{len(text)} characters took too long"
    return parsed


def _sane(diagnostic: Diagnostic, text: str) -> None:
    span = diagnostic.span
    lines = text.count("\n") + 1
    assert 1 <= span.line <= span.end_line <= lines, diagnostic
    assert span.column >= 1 and span.end_column >= 1, diagnostic
    assert diagnostic.message, diagnostic
    assert render(diagnostic, text, "f").startswith(f"{diagnostic.severity}[PV")


def _projects(verdict: Verdict) -> None:
    compiled = verdict.compiled
    if compiled is None:
        assert any(d.severity == "error" for d in verdict.diagnostics), "refused without a reason"
        return
    try:
        projection = compiled.outline()
    except ChoreographyError as error:
        assert error.diagnostics, "refused without a reason"
        return
    sequence_text(compiled.protocol, compiled.selections)
    for machines in projection.machines.values():
        for machine in machines:
            if len(machine.transitions) < 1000:
                machine_json(machine)


def _formats(text: str) -> bool:
    """A text that parses is formatted to one that means the same, and stays as it is then."""
    parsed = parse(text)
    try:
        canonical = format(text)
    except ChoreographyError as error:
        assert error.diagnostics, "refused without a reason"
        return False
    again = parse(canonical)
    assert again.protocols == parsed.protocols, "formatting changed the meaning"
    assert format(canonical) == canonical, "formatting is not idempotent"
    return True
