"""Where in the grammar a place is, told from the words before it alone.

Completion is wanted most where the text does not parse yet, so nothing here needs the tree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..language.lexing import Token
from ..language.tables import BEGINNERS

Wanted = Literal[
    "top",
    "namespace",
    "statement",
    "branch",
    "role",
    "receiver",
    "family",
    "message",
    "type",
    "rec",
    "call",
    "key",
    "selector",
    "index",
    "value",
    "loop",
    "condition",
]

OPENERS = {"LPAR": "RPAR", "LBRACKET": "RBRACKET", "LESS": "GREATER"}
WORDLIKE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
FIRST = BEGINNERS | {"NAME"}
PROTOCOLS = frozenset({"CHOREOGRAPHY", "PROTOCOL"})


@dataclass(slots=True)
class Frame:
    """A block around the place: what opened it, its first word, and the number of its brace."""

    kind: str
    head: list[Token]
    brace: int

    @property
    def name(self) -> str:
        return self.head[1].text if len(self.head) > 1 else ""


@dataclass(slots=True)
class Context:
    """`frames` from the outermost block in; `head` the words of the statement up to the place."""

    wanted: frozenset[Wanted]
    frames: list[Frame]
    head: list[Token]
    tokens: list[Token]
    writing: int
    """The number of the token that the place is in, or -1."""

    @property
    def protocol(self) -> Frame | None:
        return next((f for f in self.frames if f.kind == "protocol"), None)

    @property
    def sub(self) -> Frame | None:
        """The sub-protocol around the place."""
        return next((f for f in reversed(self.frames) if f.kind == "sub"), None)

    def parameters(self) -> list[str] | None:
        """Those of the sub-protocol around the place; None where the protocol's roles count."""
        sub = self.sub
        if sub is None or [t.type for t in sub.head[2:3]] != ["LPAR"]:
            return None
        return [t.text for t in sub.head[3:] if t.type == "NAME"]


def context(text: str, tokens: list[Token], offset: int) -> Context | None:
    """None inside a comment or a string. Linear in what stands before."""
    count = bisect_left(tokens, offset, key=lambda token: token.start)
    if _hidden(text, tokens, count, offset):
        return None
    writing = -1
    if count and _touches(tokens[count - 1], offset):
        writing = count = count - 1
    before = [t for t in tokens[:count] if t.type != "$END"]
    reader = _Reader()
    for number, token in enumerate(before):
        reader.take(number, token)
    line = text.count("\n", 0, offset) + 1
    if reader.head and reader.ends(line):
        reader.head = []
    return Context(frozenset(_wanted(reader)), reader.frames, reader.head, tokens, writing)


def _touches(token: Token, offset: int) -> bool:
    """Whether the place is in or right behind a word: the one that is being written."""
    return offset <= token.start + len(token.text) and token.text[:1] in WORDLIKE


def _hidden(text: str, tokens: list[Token], count: int, offset: int) -> bool:
    begin = 0
    if count:
        last = tokens[count - 1]
        begin = last.start + len(last.text)
        if last.type == "STRING" and offset < begin:
            return True
    gap = text[begin:offset]
    position = 0
    while True:
        line, block = gap.find("//", position), gap.find("/*", position)
        if line < 0 and block < 0:
            return False
        opens_line = block < 0 or 0 <= line < block
        end = gap.find("\n" if opens_line else "*/", (line if opens_line else block) + 2)
        if end < 0:
            return True
        position = end + 1


@dataclass(slots=True)
class _Reader:
    """Follows the blocks and the statement that is being written."""

    frames: list[Frame] = field(default_factory=list[Frame])
    head: list[Token] = field(default_factory=list[Token])

    def take(self, number: int, token: Token) -> None:
        if token.type == "LBRACE":
            head = _unannotated(self.head)
            self.frames.append(Frame(self.kind(head), head, number))
            self.head = []
        elif token.type == "RBRACE":
            if self.frames:
                self.frames.pop()
            self.head = []
        elif token.type == "SEMICOLON":
            self.head = []
        elif self.head and (token.type in FIRST) and self.ends(token.line):
            self.head = [token]
        else:
            self.head.append(token)

    def ends(self, line: int) -> bool:
        """Whether the statement is complete, and what follows on `line` begins another."""
        last = self.head[-1]
        kinds = [t.type for t in self.head]
        if _open(self.head) is not None:
            return False
        if last.type == "BAR":
            return True
        if last.line == line or last.type not in ("NAME", "RPAR", "RBRACKET", "GREATER"):
            return False
        if "ARROW" in kinds:
            return "COLON" in kinds[kinds.index("ARROW") :]
        return _unannotated(self.head) == [] or kinds[0] in ("CALL", "CONTINUE", "ROLES")

    def kind(self, head: list[Token]) -> str:
        """What block a brace opens, from the words before it."""
        first = head[0].type if head else ""
        inside = any(f.kind == "protocol" for f in self.frames)
        if first in PROTOCOLS and not inside:
            return "wrapper" if [t.type for t in head[1:2]] == ["BANG"] else "protocol"
        if first == "PROTOCOL":
            return "sub"
        if first in ("CHOICE", "REC", "PARALLEL"):
            return first.lower()
        return "block"


def _unannotated(head: list[Token]) -> list[Token]:
    """The words of a statement without the annotations before it."""
    place = 0
    while place < len(head):
        kind = head[place].type
        if kind == "AT":
            place += 2
            if place < len(head) and head[place].type == "LPAR":
                place = _closed(head, place)
        elif kind in ("LBRACKET", "HASH"):
            place = _closed(head, place + (kind == "HASH"))
        else:
            break
    return head[place:]


def _closed(head: list[Token], place: int) -> int:
    """Behind the partner of the bracket at `place`."""
    depth = 0
    for number in range(place, len(head)):
        depth += head[number].type in ("LPAR", "LBRACKET")
        depth -= head[number].type in ("RPAR", "RBRACKET")
        if depth <= 0:
            return number + 1
    return len(head)


def _open(head: list[Token]) -> int | None:
    """The place of the innermost bracket that is not closed; `<` counts in payloads only."""
    waiting: list[int] = []
    message = False
    for number, token in enumerate(head):
        message |= token.type == "COLON" and any(t.type == "ARROW" for t in head[:number])
        if token.type in ("LPAR", "LBRACKET") or (token.type == "LESS" and message):
            waiting.append(number)
        elif waiting and token.type == OPENERS[head[waiting[-1]].type]:
            waiting.pop()
    return waiting[-1] if waiting else None


# --- what is wanted ---


def _wanted(reader: _Reader) -> Iterator[Wanted]:
    head = reader.head
    inner = reader.frames[-1].kind if reader.frames else ""
    if inner in ("", "wrapper"):
        if [t.type for t in head] == ["HASH", "LBRACKET"]:
            yield "namespace"
        elif not head or (_unannotated(head) == [] and _open(head) is None):
            yield "top"
        return
    bracket = _open(head)
    if any(t.type == "WHEN" for t in head):
        yield "condition"
    elif inner == "choice":
        if not head:
            yield "branch"
    elif bracket is not None:
        yield from _bracketed(head, bracket)
    else:
        yield from _plain(head)


def _plain(head: list[Token]) -> Iterator[Wanted]:
    """Outside of brackets the last word decides."""
    rest = _unannotated(head)
    last = head[-1].type if head else ""
    if last == "AT" and len(rest) == 0:
        yield "key"
    elif not rest:
        yield "statement"
    elif last == "ARROW":
        yield "receiver"
    elif last == "COLON" and any(t.type == "ARROW" for t in rest):
        yield "message"
    elif last in ("CHOICE", "CHOICE_AT"):
        yield "role"
    elif last == "IN":
        yield "family"
    elif last == "CONTINUE" and len(rest) == 1:
        yield "rec"
    elif last == "CALL" and len(rest) == 1:
        yield "call"


def _bracketed(head: list[Token], bracket: int) -> Iterator[Wanted]:
    rest = _unannotated(head)
    first = rest[0].type if rest else ""
    last = head[-1].type
    colons = [t.type for t in head[:bracket]]
    message = "ARROW" in colons and "COLON" in colons[colons.index("ARROW") :]
    if message:
        if last in ("LPAR", "COMMA", "COLON", "LESS", "LBRACKET", "BAR"):
            yield "type"
    elif first == "LOOP":
        yield from _loop(head, bracket)
    elif first == "CALL" and head[bracket].type == "LPAR":
        if last in ("LPAR", "COMMA"):
            yield "role"
    elif first == "ROLES":
        yield "index"
    elif last == "EQUAL" or (head[bracket].type == "LPAR" and last == "LPAR"):
        yield "value"
    elif last in ("RANGE", "PLUS", "MINUS"):
        yield "index"
    elif last in ("LBRACKET", "COMMA", "AT"):
        yield "key"
        if last == "LBRACKET" and bracket > 0 and head[bracket - 1].type != "RBRACKET":
            yield "selector"


def _loop(head: list[Token], bracket: int) -> Iterator[Wanted]:
    inside = [t.type for t in head[bracket + 1 :]]
    if not inside:
        yield "loop"
    elif inside == ["COUNT", "COLON"]:
        yield "index"
    elif inside == ["DECIDES", "COLON"]:
        yield "role"
    elif inside[:2] == ["CUSTOM", "COLON"]:
        yield "condition"
