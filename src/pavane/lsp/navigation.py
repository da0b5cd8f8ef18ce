"""From a name to its definition and to every place where it stands."""

from __future__ import annotations

from lsprotocol import types as lsp

from .analysis import Analysis
from .findings import location
from .symbols import Occurrence


def definition(analysis: Analysis, uri: str, offset: int) -> list[lsp.Location]:
    """A message is defined by its first use, and so is a name that only bindings define."""
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return []
    found = analysis.symbols.definitions(occurrence.symbol)
    if occurrence.symbol.kind == "message":
        found = found[:1]
    return [location(analysis, uri, other) for other in found]


def references(
    analysis: Analysis, uri: str, offset: int, *, declaration: bool
) -> list[lsp.Location]:
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return []
    found = analysis.symbols.all(occurrence.symbol)
    return [
        location(analysis, uri, other) for other in found if declaration or not _declares(other)
    ]


def highlights(analysis: Analysis, offset: int) -> list[lsp.DocumentHighlight]:
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return []
    kinds = {False: lsp.DocumentHighlightKind.Read, True: lsp.DocumentHighlightKind.Write}
    return [
        lsp.DocumentHighlight(location(analysis, "", other).range, kinds[_declares(other)])
        for other in analysis.symbols.all(occurrence.symbol)
    ]


def _declares(occurrence: Occurrence) -> bool:
    """Every use of a message gives its payload, but none of them declares it alone."""
    return occurrence.definition and occurrence.symbol.kind not in ("message", "field")
