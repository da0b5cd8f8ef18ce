"""What the names of a text stand for: every occurrence of every symbol, and its definition.

A sub-protocol with parameters sees these only, so a parameter hides a role of the same name; a
`continue` means the innermost `rec` around it. The variable of a `foreach` reaches into the
sub-protocols that its body calls, therefore such a body shares its name with the whole protocol.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..language.checks.report import refs
from ..language.errors import Span
from ..language.expressions import names
from ..language.lexing import Token
from ..language.tree import (
    NOWHERE,
    At,
    Attribute,
    Block,
    Call,
    Choice,
    Continue,
    Expr,
    Foreach,
    Index,
    Loop,
    Message,
    Name,
    Protocol,
    Range,
    Rec,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)
from ..language.walk import blocks, statements
from .text import Text
from .words import Words

Kind = Literal[
    "protocol", "sub-protocol", "role", "parameter", "message", "field", "branch", "rec", "index"
]


class Symbol(NamedTuple):
    """`protocol` counts the protocols of the text; `scope` sets symbols of one name apart."""

    kind: Kind
    protocol: int
    scope: int
    name: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A name in the text, at `start` up to `end`."""

    symbol: Symbol
    start: int
    end: int
    definition: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """What names mean in a block: roles by name, recs by label, variables by name."""

    roles: Mapping[str, Symbol]
    sub: int
    recs: Mapping[str, Symbol]
    indices: Mapping[str, Symbol]


class Symbols:
    """All occurrences in the order of the text. Linear in the length of the text."""

    def __init__(self, text: Text, words: Words, protocols: Iterable[Protocol]) -> None:
        found: dict[int, Occurrence] = {}
        for number, protocol in enumerate(protocols):
            for occurrence in _Reader(text, words, number, protocol).run():
                found.setdefault(occurrence.start, occurrence)
        self.occurrences = [found[start] for start in sorted(found)]
        self._starts = [o.start for o in self.occurrences]
        self._by_symbol: dict[Symbol, list[Occurrence]] = {}
        for occurrence in self.occurrences:
            self._by_symbol.setdefault(occurrence.symbol, []).append(occurrence)

    def at(self, offset: int) -> Occurrence | None:
        """The occurrence that an offset touches; at its end, too."""
        place = bisect_right(self._starts, offset) - 1
        if place < 0 or self.occurrences[place].end < offset:
            return None
        return self.occurrences[place]

    def between(self, start: int, end: int) -> list[Occurrence]:
        """Those that begin from `start` on and before `end`."""
        return self.occurrences[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    def all(self, symbol: Symbol) -> list[Occurrence]:
        return self._by_symbol.get(symbol, [])

    def definitions(self, symbol: Symbol) -> list[Occurrence]:
        """Where it is defined; for a name that only bindings define, its first use."""
        found = [o for o in self.all(symbol) if o.definition]
        if not found and symbol.kind == "index":
            return self.all(symbol)[:1]
        return found

    def shape(self) -> list[tuple[Kind, bool, int]]:
        """What binds what, without the names: equal before and after a rename that is safe."""
        first: dict[Symbol, int] = {}
        return [
            (o.symbol.kind, o.definition, first.setdefault(o.symbol, len(first)))
            for o in self.occurrences
        ]


class _Reader:
    """Collects the occurrences in one protocol."""

    def __init__(self, text: Text, words: Words, number: int, protocol: Protocol) -> None:
        self.text = text
        self.words = words
        self.number = number
        self.protocol = protocol
        self.found: list[Occurrence] = []
        self.messages: set[str] = set()
        self.subs = {sub.name for sub in protocol.subprotocols}
        self.scopes = 0

    def run(self) -> list[Occurrence]:
        protocol = self.protocol
        self.add("protocol", protocol.name, protocol.name_span, definition=True)
        own = {role.name: self.symbol("role", role.name) for role in protocol.roles}
        for role in protocol.roles:
            self.add("role", role.name, role.span, definition=True)
            if isinstance(role.size, str) and role.size != "*":
                self.token("index", role.size, self.words.after(role.span, 2), definition=True)
        bodies = [protocol.body, *(sub.body for sub in protocol.subprotocols)]
        for body in bodies:
            self.messages |= {s.message.label for s in statements(body) if isinstance(s, Send)}
        self.body(protocol.body, Inside(own, 0, {}, {}))
        for sub in protocol.subprotocols:
            self.sub(sub, own)
        return self.found

    def symbol(self, kind: Kind, name: str, scope: int = 0) -> Symbol:
        return Symbol(kind, self.number, scope, name)

    def fresh(self, kind: Kind, name: str) -> Symbol:
        self.scopes += 1
        return self.symbol(kind, name, self.scopes)

    def add(self, kind: Kind, name: str, span: Span, *, definition: bool = False) -> None:
        self.note(self.symbol(kind, name), span, definition=definition)

    def token(self, kind: Kind, name: str, token: Token | None, *, definition: bool) -> None:
        if token is not None:
            self.add(kind, name, token.span, definition=definition)

    def note(self, symbol: Symbol, span: Span, *, definition: bool = False) -> None:
        """`span` begins with the name. What does not read so in the text is left out."""
        start = self.text.offset(span.line, span.column)
        end = start + len(symbol.name)
        if span is not NOWHERE and self.text.text[start:end] == symbol.name:
            self.found.append(Occurrence(symbol, start, end, definition))

    # --- blocks ---

    def sub(self, sub: SubProtocol, own: Mapping[str, Symbol]) -> None:
        self.token("sub-protocol", sub.name, self.words.after(sub.span), definition=True)
        if sub.parameters is None:
            self.body(sub.body, Inside(own, 0, {}, {}))
            return
        self.scopes += 1
        scope = self.scopes
        given = {name: self.symbol("parameter", name, scope) for name in sub.parameters}
        for place, name in enumerate(sub.parameters):
            token = self.words.after(sub.span, 3 + 2 * place)
            if token is not None:
                self.note(given[name], token.span, definition=True)
        self.body(sub.body, Inside(given, scope, {}, {}))

    def body(self, body: Block, inside: Inside) -> None:
        waiting = [(body, inside)]
        while waiting:
            block, here = waiting.pop()
            for statement in block.statements:
                self.statement(statement, here)
                within = self.entered(statement, here)
                waiting += ((inner, within) for inner in blocks(statement))

    def entered(self, statement: Statement, here: Inside) -> Inside:
        """What names mean in the blocks of a statement; notes what the statement defines."""
        recs, indices = here.recs, here.indices
        if isinstance(statement, Rec):
            symbol = self.fresh("rec", statement.label)
            recs = {**recs, statement.label: symbol}
            self.behind(symbol, statement.span, definition=True)
        if isinstance(statement, Foreach):
            name = statement.variable
            shared = any(isinstance(s, Call) for s in statements(statement.body))
            symbol = self.symbol("index", name) if shared else self.fresh("index", name)
            indices = {**indices, name: symbol}
            self.behind(symbol, statement.span, definition=True)
        return Inside(here.roles, here.sub, recs, indices)

    def behind(self, symbol: Symbol, span: Span, *, definition: bool = False) -> None:
        """Note a name that stands behind the keyword with which `span` begins."""
        token = self.words.after(span)
        if token is not None:
            self.note(symbol, token.span, definition=definition)

    # --- statements ---

    def statement(self, statement: Statement, here: Inside) -> None:
        for ref in _all_refs(statement):
            self.role(ref, here)
        match statement:
            case Send():
                self.message(statement.message)
            case Choice():
                self.choice(statement)
            case Loop(count=Index() as count):
                self.index(count, here)
            case Loop(condition=condition) if condition is not None:
                self.expression(condition)
            case Continue():
                symbol = here.recs.get(statement.label) or self.symbol("rec", statement.label)
                self.behind(symbol, statement.span)
            case Call():
                known = statement.name in self.subs or statement.name != self.protocol.name
                kind: Kind = "sub-protocol" if known else "protocol"
                self.behind(self.symbol(kind, statement.name), statement.span)
            case _:
                pass

    def role(self, ref: RoleRef, here: Inside) -> None:
        symbol = here.roles.get(ref.role) or self.symbol("role", ref.role, here.sub)
        self.note(symbol, ref.span)
        match ref.selector:
            case At(index=index):
                self.index(index, here)
            case Range(start=start, stop=stop):
                self.index(start, here)
                self.index(stop, here)
            case _:
                pass

    def index(self, index: Index, here: Inside) -> None:
        if index.name:
            symbol = here.indices.get(index.name) or self.symbol("index", index.name)
            self.note(symbol, index.span)

    def message(self, message: Message) -> None:
        self.add("message", message.label, message.span, definition=True)
        for field in message.fields:
            if field.name:
                self.add("field", field.name, field.span, definition=True)

    def choice(self, choice: Choice) -> None:
        self.scopes += 1
        scope = self.scopes
        for branch in choice.branches:
            symbol = self.symbol("branch", branch.label, scope)
            self.note(symbol, branch.span, definition=True)
            if branch.guard is not None:
                self.expression(branch.guard)

    def expression(self, expression: Expr) -> None:
        for name in names(expression):
            match name:
                case Attribute(value=Name(name=label) as value, name=field):
                    known = label in self.messages
                    self.add("message" if known else "field", label, value.span)
                    if known:
                        self.field(name, field)
                case Name(name=word):
                    self.add("message" if word in self.messages else "field", word, name.span)
                case _:
                    pass

    def field(self, attribute: Attribute, name: str) -> None:
        """The last name of `Offer.price` ends where the expression does."""
        span = attribute.span
        begin = span.end_column - len(name)
        self.add("field", name, Span(span.end_line, begin, span.end_line, span.end_column))


def _all_refs(statement: Statement) -> Iterator[RoleRef]:
    yield from refs(statement)
    match statement:
        case Foreach():
            yield statement.family
        case Call(arguments=tuple() as arguments):
            yield from arguments
        case _:
            pass
