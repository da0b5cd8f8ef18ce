"""Rename a symbol everywhere, if nothing but its name changes by that."""

from __future__ import annotations

import re
from collections import Counter

from lsprotocol import types as lsp

from ..language.lexing import NAME_LIMIT
from .analysis import Analysis
from .errors import RenameRefused
from .symbols import Occurrence
from .text import Text
from .words import lexicon

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def prepare(analysis: Analysis, offset: int) -> lsp.PrepareRenamePlaceholder | None:
    """The name at a place, or None where none stands. Raises `RenameRefused`."""
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return None
    _renamable(analysis, occurrence)
    text = analysis.text
    place = lsp.Range(text.position(occurrence.start), text.position(occurrence.end))
    return lsp.PrepareRenamePlaceholder(place, occurrence.symbol.name)


def rename(analysis: Analysis, uri: str, offset: int, name: str) -> lsp.WorkspaceEdit | None:
    """The edits. Raises `RenameRefused` where the name cannot be used, or means something."""
    occurrence = analysis.symbols.at(offset)
    if occurrence is None:
        return None
    _renamable(analysis, occurrence)
    _usable(name)
    places = analysis.symbols.all(occurrence.symbol)
    _verify(analysis, places, name)
    text = analysis.text
    edits = [
        lsp.TextEdit(lsp.Range(text.position(o.start), text.position(o.end)), name) for o in places
    ]
    return lsp.WorkspaceEdit(changes={uri: edits})


def _renamable(analysis: Analysis, occurrence: Occurrence) -> None:
    symbol = occurrence.symbol
    if symbol.kind == "field":
        raise RenameRefused(
            f"`{symbol.name}` is a field", hint="fields belong to the payload types of a program"
        )
    if analysis.protocols[symbol.protocol].partial:
        raise RenameRefused(
            "a part of this protocol cannot be read", hint="correct the syntax errors first"
        )


def _usable(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise RenameRefused(
            f"`{name[:40]}` is not a name", hint="write ASCII letters, digits and `_`"
        )
    if name in lexicon().keywords:
        raise RenameRefused(f"`{name}` is a word of the language", hint="choose another")


def _verify(analysis: Analysis, places: list[Occurrence], name: str) -> None:
    """Read the text as it will be: the same names must be bound to the same definitions, and
    nothing that was right may be wrong."""
    renamed = Analysis(Text(replaced(analysis.text.text, places, name)), analysis.settings)
    before, after = _codes(analysis), _codes(renamed)
    if renamed.symbols.shape() != analysis.symbols.shape() or after - before:
        raise RenameRefused(
            f"`{name}` already means something here", hint="choose a name that is free"
        )


def _codes(analysis: Analysis) -> Counter[str]:
    return Counter(d.code for d in analysis.diagnostics if d.severity == "error")


def replaced(text: str, places: list[Occurrence], name: str) -> str:
    parts, position = list[str](), 0
    for place in places:
        parts += [text[position : place.start], name]
        position = place.end
    return "".join([*parts, text[position:]])
