"""Which token each comment belongs to: by the line that it stands on.

A comment behind a token, with nothing after it on the line, trails that token. One that has lines
of its own leads the next token. One in front of a token on the same line is written inline
with it, unless that token closes something: what is said before a `)` is about what it closes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..lexing import Token

PIECE = re.compile(r"//[^\n]*|/\*(?s:.*?)\*/|\n")
CLOSING = frozenset(
    ("COMMA", "SEMICOLON", "COLON", "RPAR", "RBRACKET", "RBRACE", "GREATER", "$END")
)


@dataclass(slots=True)
class Around:
    """The comments of one token. `lead` are the lines before it, each with whether there is a blank
    line before that; `blank` says so of the token itself."""

    lead: tuple[tuple[bool, str], ...] = ()
    blank: bool = False
    inline: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()

    @property
    def begins_blank(self) -> bool:
        """Whether a blank line comes before the token and all that leads it."""
        return self.lead[0][0] if self.lead else self.blank

    @property
    def silent(self) -> bool:
        return not (self.lead or self.inline or self.trail)


Comments = Mapping[int, Around]


def attach(text: str, tokens: Sequence[Token]) -> Comments:
    """The comments around each token that has any, by the token's offset."""
    found: dict[int, Around] = {}
    before: Token | None = None
    end = 0
    for token in tokens:
        gap = text[end : token.start]
        if gap and gap != " ":
            _share(gap, before, token, found)
        before, end = token, token.start + len(token.text)
    return found


def _share(gap: str, before: Token | None, token: Token, found: dict[int, Around]) -> None:
    """Divide what stands between two tokens among them."""
    rows = _rows(gap)
    if before is None:
        rows.insert(0, [])
    if token.type == "$END":
        rows.append([])
    closing = token.type in CLOSING
    alone = before is not None and before.type == "LBRACE" and token.type == "RBRACE"
    if alone or (len(rows) == 1 and not closing):
        rows.insert(0, [])
    if before is not None and rows[0]:
        found.setdefault(before.start, Around()).trail = tuple(rows[0])
    inline = rows.pop() if len(rows) > 1 and not (closing and rows[-1]) else []
    lead, blank = _leading(rows[1:])
    if lead or blank or inline:
        own = found.setdefault(token.start, Around())
        own.lead, own.blank, own.inline = lead, blank, tuple(inline)


def _rows(gap: str) -> list[list[str]]:
    """The comments of a gap, line by line."""
    rows: list[list[str]] = [[]]
    for piece in PIECE.findall(gap):
        if piece == "\n":
            rows.append([])
        elif piece.startswith("//"):
            rows[-1].append(piece.rstrip())
        else:
            rows[-1].append(piece.replace("\r\n", "\n"))
    return rows


def _leading(rows: list[list[str]]) -> tuple[tuple[tuple[bool, str], ...], bool]:
    """The lines with comments, and whether a blank line comes behind them."""
    lead: list[tuple[bool, str]] = []
    blank = False
    for row in rows:
        if row:
            lead.append((blank, " ".join(row)))
        blank = not row
    return tuple(lead), blank
