"""Text -> tokens. The patterns are the terminals of `grammar.lark`, in one regular expression.

Nothing is ever raised for bad text: what cannot be a token becomes a diagnostic and is
left out, so that the parser sees a text whose braces all match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .errors import Diagnostic, Span
from .lookalikes import HIDDEN, MARKS, bad_character, name_in_ascii

TEXT_LIMIT = 10 * 1024 * 1024
WORD_LIMIT = 500_000
"""Of words and marks in one text, which is about 100 000 statements: several seconds and 300 MB."""

DIGITS_LIMIT = 18
NAME_LIMIT = 200
DIAGNOSTIC_LIMIT = 100

SAME_WORD = {"True": "true", "False": "false", "null": "None"}
NUMBERS = ("DURATION", "FLOAT", "INTEGER")


class Token(NamedTuple):
    """A word of the text. No token spans lines; `start` is the offset in the text."""

    type: str
    text: str
    line: int
    column: int
    start: int

    @property
    def span(self) -> Span:
        return Span(self.line, self.column, self.line, self.column + len(self.text))


class Lexicon:
    """The terminals of the grammar as one regular expression."""

    def __init__(self, terminals: Sequence[tuple[str, str, bool]]) -> None:
        """`terminals` are (name, pattern, whether the pattern is a plain string)."""
        patterns = {name: pattern for name, pattern, plain in terminals if not plain}
        plain = {pattern: name for name, pattern, plain in terminals if plain}
        self.keywords = {word: name for word, name in plain.items() if word.isidentifier()}
        for word, canonical in SAME_WORD.items():
            self.keywords[word] = self.keywords[canonical]
        self.punctuation = {text: name for text, name in plain.items() if not text.isidentifier()}
        marks = sorted(self.punctuation, key=len, reverse=True)
        alternatives = [
            r"(?P<SPACE>[ \t\r\f\ufeff]+|//[^\n]*)",
            r"(?P<LINE>\n)",
            r"(?P<COMMENT>/\*(?s:.*?)\*/)",
            r"(?P<WORD>[A-Za-z_][A-Za-z0-9_]*(?!\w))",
            rf"(?P<STRING>{patterns['STRING']})",
            *(rf"(?P<{name}>{patterns[name]}(?!\w))" for name in NUMBERS),
            r"(?P<FOREIGN>[^\W\d]\w*)",
            r"(?P<MISCOUNTED>\d\w*(?:\.\d\w*)?)",
            rf"(?P<MARK>(?!/\*)(?:{'|'.join(re.escape(mark) for mark in marks)}))",
            r"(?P<OPEN>/\*|[\"'])",
            r"(?P<OTHER>(?s:.))",
        ]
        self.pattern = re.compile("|".join(alternatives))

    def tokens(self, text: str) -> tuple[list[Token], list[Diagnostic]]:
        """All tokens of `text`, ending with `$END`."""
        cutter = _Cutter(self, text)
        found = cutter.run()
        return found, cutter.diagnostics


class _Cutter:
    """One pass over one text."""

    def __init__(self, lexicon: Lexicon, text: str) -> None:
        self.lexicon = lexicon
        self.text = text
        self.line = 1
        self.line_start = 0
        self.found: list[Token] = []
        self.diagnostics: list[Diagnostic] = []

    def run(self) -> list[Token]:
        self.find_hidden()
        keywords, punctuation = self.lexicon.keywords, self.lexicon.punctuation
        append, text, position = self.found.append, self.text, 0
        match = self.lexicon.pattern.match
        while position < len(text) and len(self.found) <= WORD_LIMIT:
            hit = match(text, position)
            assert hit is not None, "OTHER takes any character"
            start, position, kind, word = position, hit.end(), hit.lastgroup, hit.group()
            if kind == "SPACE":
                continue
            if kind == "LINE":
                self.line += 1
                self.line_start = position
            elif kind == "WORD":
                type_ = keywords.get(word, "NAME")
                append(Token(type_, word, self.line, start - self.line_start + 1, start))
                if len(word) > NAME_LIMIT:
                    sentence = f"a name of {len(word)} letters"
                    self.say("PV103", sentence, self.found[-1], f"at most {NAME_LIMIT} are allowed")
            elif kind == "MARK":
                type_ = punctuation[word]
                append(Token(type_, word, self.line, start - self.line_start + 1, start))
            else:
                position = self.rest(str(kind), word, start)
        self.found.append(Token("$END", "", self.line, len(text) - self.line_start + 1, len(text)))
        return self.found

    def find_hidden(self) -> None:
        """Characters that cannot be seen are refused everywhere, in comments and strings too:
        they can make a text read otherwise than it is (CVE-2021-42574)."""
        for hit in HIDDEN.finditer(self.text):
            line = self.text.count("\n", 0, hit.start()) + 1
            column = hit.start() - self.text.rfind("\n", 0, hit.start())
            token = Token("OTHER", hit.group(), line, column, hit.start())
            self.say("PV102", bad_character(hit.group())[0], token, "remove it")
            if len(self.diagnostics) >= DIAGNOSTIC_LIMIT:
                return

    def rest(self, kind: str, word: str, start: int) -> int:
        """Handle what is rare; the position to go on from."""
        column, end = start - self.line_start + 1, start + len(word)
        token = Token(kind, word, self.line, column, start)
        if kind == "COMMENT":
            self.line += word.count("\n")
            if "\n" in word:
                self.line_start = start + word.rindex("\n") + 1
        elif kind == "STRING" or kind in NUMBERS:
            self.found.append(self.literal(token))
        elif kind == "FOREIGN":
            plain, sentence = name_in_ascii(word)
            self.say("PV103", sentence, token, "names are ASCII letters, digits and `_`")
            type_ = self.lexicon.keywords.get(plain, "NAME")
            self.found.append(Token(type_, plain or word, self.line, column, start))
        elif kind == "MISCOUNTED":
            self.say("PV107", f"`{word[:40]}` is not a number", token, "names begin with a letter")
            self.found.append(Token("INTEGER", "1", self.line, column, start))
        elif kind == "OPEN":
            return self.unclosed(token)
        elif not HIDDEN.match(word):
            self.foreign_mark(token)
        return end

    def foreign_mark(self, token: Token) -> None:
        """Refused, but read as the mark it looks like."""
        sentence, hint = bad_character(token.text)
        self.say("PV102", sentence, token, hint)
        meant = MARKS.get(token.text, "")
        if meant in self.lexicon.punctuation:
            self.found.append(token._replace(type=self.lexicon.punctuation[meant]))

    def literal(self, token: Token) -> Token:
        """The token, or one like it that is harmless."""
        if token.type == "STRING":
            escape = re.search(r"\\[^\\\"'nrt0]", token.text)
            if escape is not None:
                sentence = f"`{escape.group()}` is not an escape"
                self.say("PV104", sentence, token, r"write `\\` for a backslash")
        elif token.type == "INTEGER" and len(token.text) > DIGITS_LIMIT:
            sentence = f"this number has more than {DIGITS_LIMIT} digits"
            self.say("PV107", sentence, token, "write a smaller one")
            return token._replace(text="1")
        return token

    def unclosed(self, token: Token) -> int:
        """A string without an end takes the rest of its line, a comment that of the text."""
        if token.text == "/*":
            self.say("PV104", "this comment is never closed", token, "end it with `*/`")
            self.line += self.text.count("\n", token.start)
            self.line_start = self.text.rfind("\n") + 1
            return len(self.text)
        self.say("PV104", "this string is never closed", token, f"end it with `{token.text}`")
        end = self.text.find("\n", token.start)
        end = len(self.text) if end < 0 else end
        self.found.append(token._replace(type="STRING", text='""'))
        return end

    def say(self, code: str, message: str, token: Token, hint: str) -> None:
        if len(self.diagnostics) < DIAGNOSTIC_LIMIT:
            self.diagnostics.append(Diagnostic(code, "error", message, token.span, hint))
