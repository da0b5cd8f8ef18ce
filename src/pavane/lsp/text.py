"""A document's text and the three ways to say a place in it.

The compiler counts lines from 1, ends them at `\\n` only, and counts characters. An editor counts
from 0, ends lines at `\\n`, `\\r\\n` and `\\r`, and counts UTF-16 units (or what was agreed on).
Both are converted through the offset in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from lsprotocol.types import Position, PositionEncodingKind, Range

from ..language.errors import Span

LINE_END = re.compile(r"\r\n|\r|\n")


class Text:
    """One version of a document. Nothing in it changes, so threads may share it."""

    def __init__(self, text: str, encoding: str = PositionEncodingKind.Utf16) -> None:
        self.text = text
        self.encoding = encoding

    @cached_property
    def _own_lines(self) -> list[int]:
        """Where the compiler's lines begin."""
        return [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))][:-1]

    @cached_property
    def _lines(self) -> list[int]:
        """Where the editor's lines begin."""
        if "\r" not in self.text:
            return self._own_lines
        return [0, *(hit.end() for hit in LINE_END.finditer(self.text))]

    # --- what the compiler says ---

    def offset(self, line: int, column: int) -> int:
        """The offset of a place that counts from 1; a place outside is the nearest inside."""
        if line > len(self._own_lines):
            return len(self.text)
        return min(self._own_lines[max(line, 1) - 1] + max(column, 1) - 1, len(self.text))

    def extent(self, span: Span) -> tuple[int, int]:
        """Where a span begins and ends."""
        start = self.offset(span.line, span.column)
        return start, max(start, self.offset(span.end_line, span.end_column))

    def heading(self, span: Span) -> tuple[int, int]:
        """The extent of a span, or of its first line: a block is not underlined as a whole."""
        start, end = self.extent(span)
        first = self.text.find("\n", start, end)
        return start, end if first < 0 else start + len(self.text[start:first].rstrip())

    def range(self, span: Span) -> Range:
        start, end = self.extent(span)
        return Range(self.position(start), self.position(end))

    # --- what the editor says ---

    def position(self, offset: int) -> Position:
        line = bisect_right(self._lines, offset) - 1
        return Position(line, self._units(self.text[self._lines[line] : offset]))

    def place(self, position: Position) -> int:
        """The offset of an editor's position; one that is outside is the nearest inside."""
        if position.line < 0:
            return 0
        if position.line >= len(self._lines):
            return len(self.text)
        begin = self._lines[position.line]
        after = self._lines[position.line + 1 : position.line + 2]
        line = self.text[begin : after[0] if after else len(self.text)].rstrip("\r\n")
        return begin + self._characters(line, max(position.character, 0))

    def with_change(self, range_: Range | None, new: str) -> Text:
        """The text after an edit; without a range, `new` is all of it."""
        if range_ is None:
            return Text(new, self.encoding)
        start = self.place(range_.start)
        end = max(start, self.place(range_.end))
        return Text(self.text[:start] + new + self.text[end:], self.encoding)

    def _units(self, text: str) -> int:
        if text.isascii() or self.encoding == PositionEncodingKind.Utf32:
            return len(text)
        return sum(map(self._width, text))

    def _characters(self, line: str, units: int) -> int:
        """How many characters the first `units` are; a unit inside a character is its end."""
        if line.isascii() or self.encoding == PositionEncodingKind.Utf32:
            return min(units, len(line))
        count = 0
        for character in line:
            if units <= 0:
                break
            units -= self._width(character)
            count += 1
        return count

    def _width(self, character: str) -> int:
        code = ord(character)
        if self.encoding == PositionEncodingKind.Utf8:
            return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
        return 1 + (code > 0xFFFF)
