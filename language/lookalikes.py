"""Letters and marks that look like those of the language but are others."""

# ruff: noqa: RUF001 (this file is the list of ambiguous characters)

from __future__ import annotations

import re
import unicodedata

# The confusable letters of Unicode TR 39 that an editor or a hostile author produces.
_LETTERS = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορτυχıℓ",
        "ABESIJKMHOPCTYXaesijopcyxdhqwABEZHIKMNOPTYXaivoptuxil",
        strict=True,
    )
)
MARKS = {
    **dict.fromkeys("→⟶➔➜⇒", "->"),
    **dict.fromkeys("“”„«»＂", '"'),
    **dict.fromkeys("‘’‚＇", "'"),
    **dict.fromkeys("–—−", "-"),
    "：": ":",
    "；": ";",
    ";": ";",
    "，": ",",
    "（": "(",
    "）": ")",
    "｛": "{",
    "｝": "}",
    "［": "[",
    "］": "]",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "∧": "&&",
    "∨": "||",
    "…": "..",
}
HIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that reverse the direction of text, and halves of characters."""


def _ascii(letter: str) -> str:
    """The ASCII letter that `letter` looks like, or nothing."""
    if letter.isascii():
        return letter
    if letter in _LETTERS:
        return _LETTERS[letter]
    bare = unicodedata.normalize("NFKD", letter)
    return "".join(c for c in bare if c.isascii() and (c.isalnum() or c == "_"))


def name_in_ascii(name: str) -> tuple[str, str]:
    """`name` with ASCII letters ("" where there is no such name), and what is wrong with it."""
    odd = next(c for c in name if not c.isascii())
    title = unicodedata.name(odd, f"U+{ord(odd):04X}")
    plain = "".join(_ascii(c) for c in name)
    usable = plain.isidentifier() and all(_ascii(c) for c in name)
    sentence = f"the name `{name[:60]}` holds `{odd}` ({title})"
    if _ascii(odd):
        sentence += f", which looks like `{_ascii(odd)}`"
    return (plain if usable else ""), sentence


def bad_character(character: str) -> tuple[str, str]:
    """What is wrong with a character outside names, strings and comments, and what to do."""
    title = unicodedata.name(character, "")
    if unicodedata.category(character)[0] in "CZ":
        name = f"U+{ord(character):04X}" + (f" {title}" if title else "")
        return f"a character that cannot be seen ({name}) is in the text", "remove it"
    if character in MARKS:
        return f"`{character}` is not the ASCII mark", f"write `{MARKS[character]}`"
    named = f" ({title})" if not character.isascii() and title else ""
    return f"`{character}`{named} does not belong in a protocol", "remove it"
