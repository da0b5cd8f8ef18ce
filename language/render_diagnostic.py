"""A diagnostic as text: the sentence, the place, the source line with a caret, the advice."""

from __future__ import annotations

import unicodedata

from .errors import Diagnostic

TAB = 4
WIDEST = 160


def render(diagnostic: Diagnostic, text: str, file: str) -> str:
    """Four to six lines without colours. `text` is the source that the diagnostic is about."""
    span = diagnostic.span
    lines = [
        f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}",
        f"  --> {file}:{span.line}:{span.column}",
    ]
    source = text.split("\n")
    if 1 <= span.line <= len(source):
        lines += _excerpt(diagnostic, source[span.line - 1].rstrip("\r"))
    if diagnostic.hint:
        lines.append(f"help: {diagnostic.hint}")
    return "\n".join(lines)


def _excerpt(diagnostic: Diagnostic, line: str) -> list[str]:
    span = diagnostic.span
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    cut = max(0, start - WIDEST // 2) if len(line) > WIDEST else 0
    shown = line[cut : cut + WIDEST]
    before = _columns(line[cut:start])
    under = max(1, _columns(line[start : min(end, cut + WIDEST)]))
    margin = " " * len(str(span.line))
    return [
        f"{margin} |",
        f"{span.line} | {_visible(shown).rstrip()}",
        f"{margin} | {' ' * before}{'^' * under}",
    ]


def _visible(text: str) -> str:
    """Tabs as spaces, so that the caret stands below; what would act on the terminal as `?`."""
    shown = "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\t" else c for c in text
    )
    return shown.replace("\t", " " * TAB)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if character == "\t":
        return TAB
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
