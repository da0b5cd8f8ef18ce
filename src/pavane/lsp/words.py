"""The words of a text and where each begins: names that the tree has no place for stand here."""

from __future__ import annotations

from functools import cache

from ..language.errors import Span
from ..language.lexing import Lexicon, Token
from ..language.tables import Language


@cache
def lexicon() -> Lexicon:
    """The compiler's own, built at the first use (about 0.1 s)."""
    return Language().lexicon


class Words:
    """All tokens of a text, `$END` last, by number and by place."""

    def __init__(self, text: str) -> None:
        self.tokens: list[Token] = lexicon().tokens(text)[0]
        self._numbers = {(t.line, t.column): n for n, t in enumerate(self.tokens)}

    def number(self, span: Span) -> int | None:
        """The number of the token that begins where the span begins."""
        return self._numbers.get((span.line, span.column))

    def after(self, span: Span, count: int = 1) -> Token | None:
        """The token `count` behind the one at which the span begins."""
        number = self.number(span)
        if number is None or number + count >= len(self.tokens):
            return None
        return self.tokens[number + count]
