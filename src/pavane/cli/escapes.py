"""What others have written, so that it can be shown: a terminal obeys what stands in a text."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text from a token, a journal or the wire as a part of one line: what is not seen, or moves
    what is, stands there as Python would write it, `\x1b` or `\n`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def in_lines(text: str) -> str:
    """As `printable`, for a text of several lines: no line but the first begins at the margin, where
    only we write."""
    return "\n  ".join(printable(line) for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
