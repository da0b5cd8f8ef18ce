"""One method for each rule of `grammar.lark`: what its children become, one level down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lexing import Token
from .comments import Around, Comments
from .concrete import Part, ends_open
from .printer import Instruction, Op

SPACE = Instruction(Op.SPACE)
HARD = Instruction(Op.HARD)
BLANK = Instruction(Op.BLANK)
LINE = Instruction(Op.LINE)
SOFT = Instruction(Op.SOFT)
FILL = Instruction(Op.FILL)
OPEN = Instruction(Op.OPEN)
CLOSE = Instruction(Op.CLOSE)
INDENT = Instruction(Op.INDENT)
DEDENT = Instruction(Op.DEDENT)
LAST_COMMA = Instruction(Op.LAST_COMMA)
SEMICOLON = Instruction(Op.MARK, ";")
COLON = Instruction(Op.MARK, ":")

BRACKETS = {"LBRACKET": "RBRACKET", "LPAR": "RPAR", "LESS": "GREATER"}
SINGLE = frozenset({("RBRACKET", "selector"), ("RBRACKET", "type"), ("RPAR", "value")})
LISTS = frozenset({"notes", "types"})
NOTHING = Around()


class Lead:
    """The comment lines in front of a closing token, written before the block is left."""

    __slots__ = ("token",)

    def __init__(self, token: Token) -> None:
        self.token = token


class Rest:
    """A token whose `Lead` is written already; without its trailing comments if `bare`."""

    __slots__ = ("bare", "token")

    def __init__(self, token: Token, *, bare: bool = False) -> None:
        self.token = token
        self.bare = bare


class Trail:
    """The trailing comments of a token that was written `bare`."""

    __slots__ = ("token",)

    def __init__(self, token: Token) -> None:
        self.token = token


Child = Part | Token
Item = Part | Token | Instruction | Lead | Rest | Trail


class Rules:
    """The rules, for a text with these comments."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments

    def around(self, token: Token) -> Around:
        """The comments of a token."""
        return self._comments.get(token.start, NOTHING)

    def expand(self, part: Part) -> Sequence[Item]:
        """What a part consists of: tokens, instructions, and parts to be expanded in turn."""
        return RULES.get(part.rule, Rules.glued)(self, part.children)

    # --- what several rules share ---

    def glued(self, children: Sequence[Child]) -> Sequence[Item]:
        return children

    def spaced(self, children: Sequence[Child]) -> Sequence[Item]:
        items: list[Item] = []
        for child in children:
            items += (SPACE, child)
        return items[1:]

    def bracketed(self, children: Sequence[Child]) -> Sequence[Item]:
        """What may hold lists in brackets: those are broken if they do not fit, the rest is glued."""
        items: list[Item] = []
        place = 0
        while place < len(children):
            child = children[place]
            closer = BRACKETS.get(child.type, "") if isinstance(child, Token) else ""
            end = place + 1
            while closer and not _is(children[end], closer):
                end += 1
            inner = children[place + 1 : end]
            if closer and _is_list(closer, inner):
                items += self._list(child, inner, children[end])
                place = end
            else:
                items.append(child)
            place += 1
        return items

    def _list(self, opener: Child, inner: Sequence[Child], closer: Child) -> Sequence[Item]:
        assert isinstance(closer, Token)
        if isinstance(inner[0], Part) and inner[0].rule in LISTS:
            inner = inner[0].children
        items: list[Item] = [OPEN, opener, INDENT, SOFT]
        for child in inner:
            items += (child, LINE) if _is(child, "COMMA") else (child,)
        items.append(LAST_COMMA)
        if self.around(closer).lead:
            items += (SOFT, Lead(closer))
        return [*items, DEDENT, SOFT, Rest(closer, bare=True), CLOSE, Trail(closer)]

    def _braced(self, opener: Child, inner: Sequence[Item], closer: Child) -> Sequence[Item]:
        """A block; `inner` begins every line with its own break."""
        assert isinstance(opener, Token) and isinstance(closer, Token)
        lead, around = self.around(closer).lead, self.around(opener)
        begin = Rest(opener) if not inner and around.silent else opener
        if not inner and not lead and not around.trail:
            return [begin, closer]
        items: list[Item] = [begin, INDENT, *inner]
        if lead:
            items += (BLANK if inner and lead[0][0] else HARD, Lead(closer))
        return [*items, DEDENT, HARD, Rest(closer)]

    def lines(self, children: Sequence[Child]) -> list[Item]:
        """Statements or branches, each on a line of its own, with the blank lines of the source."""
        items: list[Item] = []
        for place, child in enumerate(children):
            if isinstance(child, Token):
                items.append(child)
                continue
            items += (BLANK if items and self._begins_blank(child) else HARD, child)
            following = children[place + 1 : place + 2]
            if ends_open(child) and not (following and isinstance(following[0], Token)):
                items.append(SEMICOLON)
        return items

    def _begins_blank(self, part: Part) -> bool:
        first: Child = part
        while isinstance(first, Part):
            first = first.children[0]
        return self.around(first).begins_blank

    # --- files and protocols ---

    def file(self, children: Sequence[Child]) -> Sequence[Item]:
        items: list[Item] = []
        for child in children:
            items += (BLANK, child)
        return items[1:]

    def wrapper(self, children: Sequence[Child]) -> Sequence[Item]:
        keyword, bang, opener, *inside, closer = children
        lines: list[Item] = []
        for child in inside:
            lines += (BLANK if lines else HARD, child)
        return [keyword, bang, SPACE, *self._braced(opener, lines, closer)]

    def attribute(self, children: Sequence[Child]) -> Sequence[Item]:
        mark, opener, key, equal, value, closer = children
        return [mark, opener, key, SPACE, equal, SPACE, value, closer, HARD]

    def protocol(self, children: Sequence[Child]) -> Sequence[Item]:
        opener = next(n for n, child in enumerate(children) if _is(child, "LBRACE"))
        *attributes, keyword, name = children[:opener]
        lines = self.lines(children[opener + 1 : -1])
        block = self._braced(children[opener], lines, children[-1])
        return [*attributes, keyword, SPACE, name, SPACE, *block]

    def roles(self, children: Sequence[Child]) -> Sequence[Item]:
        items: list[Item] = [*children[:2], SPACE]
        for child in children[2:]:
            items += (child, FILL) if _is(child, "COMMA") else (child,)
        return items

    def named(self, children: Sequence[Child]) -> Sequence[Item]:
        """`call P(A, B)`, `protocol P(X, Y) { }`: no space before the list."""
        keyword, name, *rest = children
        items: list[Item] = [keyword, SPACE, name]
        for child in rest:
            glued = isinstance(child, Part) and child.rule != "block"
            items += (child,) if glued else (SPACE, child)
        return items

    def block(self, children: Sequence[Child]) -> Sequence[Item]:
        return self._braced(children[0], self.lines(children[1:-1]), children[-1])

    # --- statements ---

    def statement(self, children: Sequence[Child]) -> Sequence[Item]:
        items: list[Item] = []
        for child in children:
            items += (HARD, child)
        return items[1:]

    def send(self, children: Sequence[Child]) -> Sequence[Item]:
        sender, arrow, receiver, colon, message = children
        if isinstance(receiver, Token):
            return [sender, SPACE, arrow, receiver, SPACE, colon, SPACE, message]
        return [sender, SPACE, arrow, SPACE, receiver, colon, SPACE, message]

    def choice(self, children: Sequence[Child]) -> Sequence[Item]:
        opener = next(n for n, child in enumerate(children) if _is(child, "LBRACE"))
        lines = self.lines(children[opener + 1 : -1])
        block = self._braced(children[opener], lines, children[-1])
        return [*self.spaced(children[:opener]), SPACE, *block]

    def branch(self, children: Sequence[Child]) -> Sequence[Item]:
        label, *head, block = children
        colon: Item = COLON
        if head and _is(head[-1], "COLON"):
            colon = head.pop()
        items: list[Item] = [label]
        for child in head:
            timed = isinstance(child, Part) and child.rule == "time"
            items += (child,) if timed else (SPACE, child)
        return [*items, colon, SPACE, block]

    def loop(self, children: Sequence[Child]) -> Sequence[Item]:
        keyword, *kind, block = children
        return [keyword, SPACE, *kind, SPACE, block] if kind else [keyword, SPACE, block]

    def labelled(self, children: Sequence[Child]) -> Sequence[Item]:
        """`count: 3`, `price: i32`."""
        *name, last = children
        return [*name, SPACE, last] if name else [last]

    def parallel(self, children: Sequence[Child]) -> Sequence[Item]:
        keyword, opener, *inside, closer = children
        items: list[Item] = []
        for child in inside:
            if isinstance(child, Token):
                lead = self.around(child).lead
                items += (HARD, Lead(child)) if lead else ()
                items += (DEDENT, HARD, Rest(child), INDENT)
            else:
                items += self.lines(child.children)
        return [keyword, SPACE, *self._braced(opener, items, closer)]

    # --- messages, annotations, expressions ---

    def annotation(self, children: Sequence[Child]) -> Sequence[Item]:
        items: list[Item] = []
        for child in children:
            items += (SPACE, child, SPACE) if _is(child, "EQUAL") else (child,)
        return items

    def unary(self, children: Sequence[Child]) -> Sequence[Item]:
        return self.spaced(children) if _is(children[0], "NOT") else children

    def membership(self, children: Sequence[Child]) -> Sequence[Item]:
        opener = next((n for n, child in enumerate(children) if _is(child, "LBRACKET")), None)
        if opener is None:
            return self.spaced(children)
        *inner, closer = children[opener + 1 :]
        return [
            *self.spaced(children[:opener]),
            SPACE,
            *self._list(children[opener], inner, closer),
        ]


def _is(child: Child, type_: str) -> bool:
    return isinstance(child, Token) and child.type == type_


def _is_list(closer: str, inner: Sequence[Child]) -> bool:
    """Whether a comma may stand before the closer, unlike in `W[2]`, `[T]`, `@key(1)`, `()`."""
    if len(inner) == 1 and isinstance(inner[0], Part):
        return (closer, inner[0].rule) not in SINGLE
    return bool(inner)


RULES: dict[str, Callable[[Rules, Sequence[Child]], Sequence[Item]]] = {
    "file": Rules.file,
    "wrapper": Rules.wrapper,
    "attribute": Rules.attribute,
    "protocol": Rules.protocol,
    "roles": Rules.roles,
    "subprotocol": Rules.named,
    "call": Rules.named,
    "block": Rules.block,
    "statement": Rules.statement,
    "prefix": Rules.bracketed,
    "send": Rules.send,
    "party": Rules.bracketed,
    "parameters": Rules.bracketed,
    "arguments": Rules.bracketed,
    "choice": Rules.choice,
    "branch": Rules.branch,
    "time": Rules.glued,
    "guard": Rules.spaced,
    "loop": Rules.loop,
    "loop_kind": Rules.labelled,
    "parallel": Rules.parallel,
    "rec": Rules.spaced,
    "jump": Rules.spaced,
    "foreach": Rules.spaced,
    "generics": Rules.bracketed,
    "fields": Rules.bracketed,
    "field": Rules.labelled,
    "type": Rules.spaced,
    "atom": Rules.bracketed,
    "annotation": Rules.annotation,
    "value": Rules.bracketed,
    "operation": Rules.spaced,
    "unary": Rules.unary,
    "membership": Rules.membership,
}
"""What is not here is written without spaces: references, indices, paths, literals."""
