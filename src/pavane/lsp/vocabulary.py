"""The names that the protocol around a place uses, from its words: no syntax error hides them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .context import Context


@dataclass(slots=True)
class Vocabulary:
    """Names in the order in which they come first; a role has its size, or an empty text."""

    roles: dict[str, str] = field(default_factory=dict[str, str])
    messages: dict[str, None] = field(default_factory=dict[str, None])
    fields: dict[str, None] = field(default_factory=dict[str, None])
    subs: dict[str, None] = field(default_factory=dict[str, None])
    recs: dict[str, None] = field(default_factory=dict[str, None])
    """The jump targets around the place."""
    variables: dict[str, None] = field(default_factory=dict[str, None])
    """Sizes, and the variables of `foreach`."""


def vocabulary(context: Context) -> Vocabulary:
    """Nothing outside of a protocol. Linear in the length of the protocol."""
    found = Vocabulary()
    protocol = context.protocol
    if protocol is None:
        return found
    found.subs[protocol.name] = None
    inner = context.frames
    if context.sub is not None:
        inner = inner[inner.index(context.sub) :]
    found.recs = dict.fromkeys(f.name for f in inner if f.kind == "rec" and f.name)
    _Collector(context, protocol.brace + 1, found).run()
    return found


class _Collector:
    def __init__(self, context: Context, start: int, found: Vocabulary) -> None:
        self.tokens = context.tokens
        self.writing = context.writing
        self.place = start
        self.found = found

    def kind(self, distance: int = 0) -> str:
        place = self.place + distance
        return self.tokens[place].type if place < len(self.tokens) else ""

    def text(self, distance: int = 0) -> str:
        place = self.place + distance
        return self.tokens[place].text if place < len(self.tokens) else ""

    def run(self) -> None:
        depth = 1
        while self.place < len(self.tokens) and depth:
            kind = self.kind()
            depth += (kind == "LBRACE") - (kind == "RBRACE")
            if kind == "HASH" or (kind == "CHOREOGRAPHY" and self.kind(2) == "LBRACE"):
                return
            self.step(kind)
            self.place += 1

    def step(self, kind: str) -> None:
        if kind == "ROLES" and self.kind(1) == "COLON":
            self.place += 2
            self.roles()
        elif kind == "PROTOCOL" and self.kind(1) == "NAME":
            self.found.subs[self.text(1)] = None
        elif kind == "FOREACH" and self.kind(2) == "IN":
            self.found.variables[self.text(1)] = None
        elif kind == "ARROW":
            self.message()

    def roles(self) -> None:
        while self.kind() == "NAME":
            name, size = self.text(), ""
            self.place += 1
            if self.kind() == "LBRACKET":
                size = self.text(1)
                if self.kind(1) == "NAME":
                    self.found.variables[size] = None
                self.place += 3
            self.found.roles[name] = size
            if self.kind() != "COMMA":
                break
            self.place += 1
        self.place -= 1

    def message(self) -> None:
        """From an arrow to the label, over the receiver's selector and annotations."""
        place, depth = 1, 0
        while self.kind(place) not in ("", "$END", "SEMICOLON", "LBRACE", "RBRACE", "ARROW"):
            depth += (self.kind(place) == "LBRACKET") - (self.kind(place) == "RBRACKET")
            if self.kind(place) == "COLON" and depth <= 0:
                break
            place += 1
        if self.kind(place) != "COLON" or not self.text(place + 1).isidentifier():
            return
        colon, label = self.tokens[self.place + place : self.place + place + 2]
        if colon.line == label.line and self.place + place + 1 != self.writing:
            self.found.messages[label.text] = None
        place += 2
        while self.kind(place) not in ("", "$END", "SEMICOLON", "LBRACE", "RBRACE", "ARROW"):
            if self.kind(place) == "COLON" and self.kind(place - 1) == "NAME":
                self.found.fields[self.text(place - 1)] = None
            place += 1
