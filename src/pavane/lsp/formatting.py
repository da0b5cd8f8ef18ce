"""The canonical layout, as an edit of what differs."""

from __future__ import annotations

from lsprotocol import types as lsp

from ..language.errors import ChoreographyError
from ..language.format import format as formatted
from .analysis import Analysis


def formatting(analysis: Analysis) -> list[lsp.TextEdit] | None:
    """None for a text that does not parse: its diagnostics say why."""
    text = analysis.text
    try:
        wanted = formatted(text.text)
    except ChoreographyError:
        return None
    old = text.text
    if wanted == old:
        return []
    if "\r" in old:
        # A place between \r and \n cannot be said to an editor.
        return [lsp.TextEdit(lsp.Range(text.position(0), text.position(len(old))), wanted)]
    first = _common(old, wanted)
    last = min(_common(old[::-1], wanted[::-1]), len(old) - first, len(wanted) - first)
    place = lsp.Range(text.position(first), text.position(len(old) - last))
    return [lsp.TextEdit(place, wanted[first : len(wanted) - last])]


def _common(left: str, right: str) -> int:
    """How many characters both begin with, found by halving."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left.startswith(right[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
