"""Diagnostics as the editor shows them: with code, advice, and the places they speak of."""

from __future__ import annotations

from lsprotocol import types as lsp

from ..language.errors import Diagnostic
from .analysis import Analysis
from .symbols import Occurrence, Symbol

SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "note": lsp.DiagnosticSeverity.Information,
}
UNNECESSARY = frozenset({"PV124", "PV136"})
ELSEWHERE: dict[str, str] = {
    "PV121": "first declared here",
    "PV122": "first declared here",
    "PV126": "declared here",
    "PV127": "declared here",
    "PV128": "declared here",
    "PV129": "declared here",
    "PV131": "first defined here",
    "PV132": "defined here",
    "PV133": "defined here",
    "PV135": "comes back to here",
    "PV138": "first used here",
    "PV152": "declared here",
    "PV153": "first declared here",
    "PV154": "also used here",
}
"""What is told of the definition of the names that a diagnostic of this code is about."""


def findings(analysis: Analysis, uri: str) -> list[lsp.Diagnostic]:
    """All diagnostics of a document."""
    return [_finding(analysis, uri, d) for d in analysis.diagnostics]


def _finding(analysis: Analysis, uri: str, diagnostic: Diagnostic) -> lsp.Diagnostic:
    message = diagnostic.message
    if diagnostic.hint:
        message += f"\nhelp: {diagnostic.hint}"
    start, end = analysis.text.heading(diagnostic.span)
    return lsp.Diagnostic(
        range=lsp.Range(analysis.text.position(start), analysis.text.position(end)),
        message=message,
        severity=SEVERITIES[diagnostic.severity],
        code=diagnostic.code,
        source="pavane",
        tags=[lsp.DiagnosticTag.Unnecessary] if diagnostic.code in UNNECESSARY else None,
        related_information=_related(analysis, uri, diagnostic),
    )


def _related(
    analysis: Analysis, uri: str, diagnostic: Diagnostic
) -> list[lsp.DiagnosticRelatedInformation] | None:
    words = ELSEWHERE.get(diagnostic.code)
    if words is None:
        return None
    start, end = analysis.text.extent(diagnostic.span)
    own = [o for o in _named(analysis, start, end) if f"`{o.symbol.name}" in diagnostic.message]
    for occurrence in own:
        for other in _definitions(analysis, occurrence.symbol):
            if not start <= other.start < end:
                text = f"`{other.symbol.name}` is {words}"
                return [lsp.DiagnosticRelatedInformation(location(analysis, uri, other), text)]
    return None


def _named(analysis: Analysis, start: int, end: int) -> list[Occurrence]:
    """The names at the beginning of an extent; a block's diagnostic is about its first words."""
    found = analysis.symbols.between(start, end)
    return found[:4]


def _definitions(analysis: Analysis, symbol: Symbol) -> list[Occurrence]:
    symbols = analysis.symbols
    if symbol.kind != "protocol":
        return symbols.definitions(symbol)
    protocols = analysis.protocols
    full_name = protocols[symbol.protocol].full_name
    alike = [number for number, p in enumerate(protocols) if p.full_name == full_name]
    namesakes = [symbol._replace(protocol=number) for number in alike]
    return [o for one in namesakes for o in symbols.definitions(one)]


def location(analysis: Analysis, uri: str, occurrence: Occurrence) -> lsp.Location:
    text = analysis.text
    return lsp.Location(
        uri, lsp.Range(text.position(occurrence.start), text.position(occurrence.end))
    )
