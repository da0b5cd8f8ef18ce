"""Text -> concrete tree: every token in its rule, from the grammar that the compiler parses with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark

from ..braces import balance
from ..compiler import refusal
from ..lexing import TEXT_LIMIT, Lexicon, Token
from ..parser import parse
from ..tables import Language, NoLexer

ROOT = __name__.rpartition(".")[0].rpartition(".")[0]

TERMINATED = frozenset({"send", "jump", "call", "roles"})
"""What ends with a semicolon: the statements without a block, and the roles."""

CLOSERS = frozenset({"RBRACKET", "RPAR", "GREATER", "RBRACE"})


class Part:
    """A rule of the grammar and what it was made of."""

    __slots__ = ("children", "rule")

    def __init__(self, rule: str, children: list[Part | Token]) -> None:
        self.rule = str(rule)
        self.children = children


@dataclass(frozen=True, slots=True)
class Concrete:
    """The tree and its tokens in source order, the last one `$END`.

    Separators that mean nothing are left out of both: see `_idle`.
    """

    root: Part
    tokens: list[Token]


class Tables(Language):
    """The compiler's tables with the concrete tree as their result."""

    def __init__(self) -> None:
        grammar = resources.files(ROOT).joinpath("grammar.lark").read_text("utf-8")
        options: dict[str, Any] = {"lexer": NoLexer, "tree_class": Part}
        start = ["file"]
        self.lark = Lark(grammar, parser="lalr", start=start, maybe_placeholders=False, **options)
        terminals = self.lark.terminals
        self.lexicon = Lexicon(
            [(t.name, t.pattern.value, t.pattern.type == "str") for t in terminals]
        )
        self.rules = frozenset(
            str(rule.alias or rule.origin.name)
            for rule in self.lark.rules
            if not rule.origin.name.startswith("_")
        )


@cache
def tables() -> Tables:
    """Built once per process (about 0.1 s)."""
    return Tables()


def read(text: str, file: str) -> Concrete:
    """The concrete tree of a text. Raises `ChoreographyError` if it does not parse."""
    if len(text) > TEXT_LIMIT:
        raise refusal(file, parse(text).diagnostics)
    tokens, wrong = tables().lexicon.tokens(text)
    balanced = balance(tokens)
    root: Any = None
    if not wrong and not balanced.diagnostics:
        root = tables().run(balanced, "file").run(recover=False)
    if root is None:
        raise refusal(file, parse(text).diagnostics)
    assert isinstance(root, Part)
    idle = set(_without_idle(root))
    return Concrete(root, [token for token in tokens if token.start not in idle])


def _without_idle(root: Part) -> Iterator[int]:
    """Take the idle separators out of the tree; where they began."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        waiting += (child for child in part.children if isinstance(child, Part))
        tokens = ((n, child) for n, child in enumerate(part.children) if isinstance(child, Token))
        idle = {n: child.start for n, child in tokens if _idle(part, n, child)}
        if idle:
            yield from idle.values()
            part.children = [c for n, c in enumerate(part.children) if n not in idle]


def _idle(part: Part, place: int, token: Token) -> bool:
    """Whether a child is a comma behind the last element, or a semicolon that ends nothing."""
    if token.type == "COMMA":
        following = part.children[place + 1 : place + 2]
        return not following or (isinstance(following[0], Token) and following[0].type in CLOSERS)
    return token.type == "SEMICOLON" and not ends_open(part.children[place - 1] if place else None)


def ends_open(item: Part | Token | None) -> bool:
    """Whether an item of a block wants a semicolon behind it."""
    if not isinstance(item, Part):
        return False
    last = item.children[-1] if item.rule == "statement" else item
    return isinstance(last, Part) and last.rule in TERMINATED
