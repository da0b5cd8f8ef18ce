"""Places: the compiler's lines and columns, the editor's lines and units, and the offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position, PositionEncodingKind, Range

from pavane.language.errors import Span
from pavane.lsp.text import Text

LETTERS = st.text("ab\n\r\t\u2028\x0cé→😀", max_size=40)
ENCODINGS = {
    PositionEncodingKind.Utf8: ("utf-8", 1),
    PositionEncodingKind.Utf16: ("utf-16-le", 2),
    PositionEncodingKind.Utf32: ("utf-32-le", 4),
}


def inside(text: str, offset: int) -> bool:
    """Whether an editor can say the place: not between the two characters of a line's end."""
    return text[offset - 1 : offset + 1] != "\r\n" if offset else True


@given(LETTERS, st.sampled_from(sorted(ENCODINGS)))
def test_offsets_and_positions_are_inverse(text: str, encoding: PositionEncodingKind) -> None:
    one = Text(text, encoding)
    for offset in filter(lambda o: inside(text, o), range(len(text) + 1)):
        assert one.place(one.position(offset)) == offset


@given(LETTERS, st.sampled_from(sorted(ENCODINGS)))
def test_units_are_those_of_the_encoding(text: str, encoding: PositionEncodingKind) -> None:
    line = text.replace("\n", "").replace("\r", "")
    codec, width = ENCODINGS[encoding]
    for offset in range(len(line) + 1):
        units = len(line[:offset].encode(codec)) // width
        assert Text(line, encoding).position(offset) == Position(0, units)


@given(LETTERS, LETTERS, st.data())
def test_a_change_is_made_where_the_editor_means_it(
    text: str, new: str, data: st.DataObject
) -> None:
    one = Text(text)
    places = st.integers(0, len(text)).filter(lambda o: inside(text, o))
    start, end = sorted((data.draw(places), data.draw(places)))
    changed = one.with_change(Range(one.position(start), one.position(end)), new)
    assert changed.text == text[:start] + new + text[end:]


def test_the_compilers_lines_end_at_the_newline_only() -> None:
    text = Text("a\rb\nç→😀x\r\ny")
    assert text.offset(1, 4) == 3
    assert text.range(Span(2, 4, 2, 5)) == Range(Position(2, 4), Position(2, 5))
    assert text.position(text.offset(3, 1)) == Position(3, 0)


def test_places_outside_are_the_nearest_inside() -> None:
    text = Text("ab\ncd")
    assert text.place(Position(0, 99)) == 2
    assert text.place(Position(99, 0)) == 5
    assert text.extent(Span(7, 7, 8, 8)) == (5, 5)
    assert text.extent(Span(0, 0, 0, 0)) == (0, 0)
