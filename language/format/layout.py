"""Concrete tree -> instructions for the printer, each token with its comments."""

from __future__ import annotations

from ..lexing import Token
from .comments import CLOSING, Around, Comments
from .concrete import Part
from .printer import Instruction, Op
from .rules import BLANK, HARD, SPACE, Item, Lead, Rest, Rules, Trail

BREAKING = frozenset({Op.LEAD, Op.LEAD_LAST, Op.TRAIL_LINE})
PULLED = frozenset({"COMMA", "SEMICOLON", "LBRACE"})


class Layout:
    """Turns a tree to instructions, without recursion. `forced` are the groups that cannot be on
    one line, because a comment in them ends with the line."""

    def __init__(self, comments: Comments) -> None:
        self._rules = Rules(comments)
        self._out: list[Instruction] = []
        self._open: list[int] = []
        self._forced: set[int] = set()

    @property
    def forced(self) -> frozenset[int]:
        """The places of the instructions that open such a group."""
        return frozenset(self._forced)

    def run(self, root: Part, end: Token) -> list[Instruction]:
        """The instructions for a file that ends with the token `end`."""
        waiting: list[Item] = [*self._end(end, alone=not root.children), root]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Part):
                waiting += reversed(self._rules.expand(item))
            else:
                self._item(item)
        return self._out

    def _end(self, end: Token, *, alone: bool) -> list[Item]:
        """What comes last, the last first."""
        lead = self._rules.around(end).lead
        if not lead:
            return [] if alone else [HARD]
        return [HARD, Lead(end)] if alone else [HARD, Lead(end), BLANK]

    # --- tokens ---

    def _item(self, item: Token | Instruction | Lead | Rest | Trail) -> None:
        if isinstance(item, Instruction):
            self._emit(item)
        elif isinstance(item, Token):
            self._token(item)
        elif isinstance(item, Lead):
            self._emit(Instruction(Op.LEAD_LAST, lines=self._rules.around(item.token).lead))
        elif isinstance(item, Rest):
            self._text(item.token, self._rules.around(item.token))
            if not item.bare:
                self._trail(item.token)
        else:
            self._trail(item.token)

    def _emit(self, instruction: Instruction) -> None:
        if instruction.op is Op.OPEN:
            self._open.append(len(self._out))
        elif instruction.op is Op.CLOSE:
            self._open.pop()
        elif instruction.op in BREAKING:
            for place in reversed(self._open):
                if place in self._forced:
                    break
                self._forced.add(place)
        self._out.append(instruction)

    def _token(self, token: Token) -> None:
        around = self._rules.around(token)
        if around.silent:
            op = Op.PULL if token.type in PULLED else Op.TEXT
            if op is Op.TEXT and token.type in CLOSING:
                op = Op.CLOSE_TEXT
            self._out.append(Instruction(op, token.text))
            return
        if around.lead:
            self._emit(Instruction(Op.LEAD, lines=around.lead, blank=around.blank))
        self._text(token, around)
        self._trail(token)

    def _text(self, token: Token, around: Around) -> None:
        for comment in around.inline:
            self._out += (Instruction(Op.TEXT, comment), SPACE)
        op = Op.CLOSE_TEXT if token.type in CLOSING else Op.TEXT
        self._out.append(Instruction(op, token.text))

    def _trail(self, token: Token) -> None:
        for comment in self._rules.around(token).trail:
            op = Op.TRAIL_LINE if comment.startswith("//") else Op.TRAIL
            self._emit(Instruction(op, comment))
