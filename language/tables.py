"""Lark's LALR tables, run one token at a time, with recovery from errors.

Apart from `build`, the only place that knows Lark; `parser` imports it at the first use,
because a program that never reads a protocol should not pay for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib import resources
from typing import Any

from lark import Lark, UnexpectedToken
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

from .braces import Balanced
from .build import Build
from .errors import Diagnostic
from .expected import explain
from .lexing import DIAGNOSTIC_LIMIT, Lexicon, Token

RESUME = ("branch", "item", "protocol")
BEGINNERS = frozenset(
    ("CHOICE", "LOOP", "PARALLEL", "REC", "CONTINUE", "CALL", "FOREACH", "PROTOCOL", "ROLES", "AT")
)


class NoLexer(Lexer):
    """Lark is fed with the tokens of `lexing`."""

    def __init__(self, lexer_conf: Any) -> None:
        del lexer_conf

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        return iter(())


class Language:
    """The tables and the lexicon, built once per process (about 0.1 s)."""

    def __init__(self) -> None:
        package = __name__.rpartition(".")[0]
        grammar = resources.files(package).joinpath("grammar.lark").read_text("utf-8")
        self.build = Build()
        self.lark = Lark(
            grammar,
            parser="lalr",
            lexer=NoLexer,
            start=["file", "expression"],
            transformer=self.build,
            maybe_placeholders=False,
        )
        terminals = [
            (t.name, t.pattern.value, t.pattern.type == "str") for t in self.lark.terminals
        ]
        self.lexicon = Lexicon(terminals)
        self.lock = threading.RLock()

    def run(self, text: Balanced, start: str) -> Parse:
        """A parse of `text` from the rule `start`, not begun yet."""
        return Parse(self, text, start)


class Parse:
    """One run of the tables over one list of tokens."""

    def __init__(self, language: Language, text: Balanced, start: str) -> None:
        self.tokens, self.depths, _ = text
        self.keywords = frozenset(language.lexicon.keywords.values())
        lark: Any = language.lark
        self.state: Any = lark.parse_interactive(start=start).parser_state
        self.table: dict[Any, dict[str, Any]] = self.state.parse_conf.states
        self.diagnostics: list[Diagnostic] = []
        self.resumed_at = -1

    def run(self, *, recover: bool) -> Any:
        """The value of the start rule, or None where there is none to save."""
        feed, tokens, position = self.feed, self.tokens, 0
        while position < len(tokens):
            try:
                result = feed(tokens[position])
            except UnexpectedToken:
                expected = self.settle()
                if position != self.resumed_at or not self.diagnostics:
                    self.diagnostics.append(explain(tokens, position, expected))
                if not recover or len(self.diagnostics) >= DIAGNOSTIC_LIMIT:
                    return None
                position = self.resume(position)
            else:
                position += 1
                if position == len(tokens):
                    return result
        return None

    def feed(self, token: Token) -> Any:
        """Shift a token. A keyword is a name where only a name is wanted, which may show
        only after the reductions before it."""
        if token.type in self.keywords:
            if not self.wants(token.type) and self.wants("NAME"):
                token = token._replace(type="NAME")
            try:
                return self.state.feed_token(token)
            except UnexpectedToken:
                if not self.wants("NAME"):
                    raise
                token = token._replace(type="NAME")
        return self.state.feed_token(token, token.type == "$END")

    def wants(self, type_: str) -> bool:
        return type_ in self.table[self.state.state_stack[-1]]

    def settle(self) -> frozenset[str]:
        """Reduce whatever is complete (the tables do so only before a token that fits), so that
        what was read well is kept; the tokens that would have been taken on the way."""
        states, expected = self.state.state_stack, set[str]()
        while True:
            actions = self.table[states[-1]]
            rules = {arg for action, arg in actions.values() if action is not Shift}
            expected |= {n for n, (action, _) in actions.items() if action is Shift and n.isupper()}
            if len(rules) != 1 or not (rule := rules.pop()).expansion:
                return frozenset(expected)
            self.reduce(rule)

    def reduce(self, rule: Any) -> None:
        states, values = self.state.state_stack, self.state.value_stack
        size = len(rule.expansion)
        children = values[-size:]
        del states[-size:], values[-size:]
        value = self.state.parse_conf.callbacks[rule](children)
        states.append(self.table[states[-1]][rule.origin.name][1])
        values.append(value)

    def resume(self, position: int) -> int:
        """Pop to where a statement, branch or protocol can begin; skip to the next one."""
        states, values = self.state.state_stack, self.state.value_stack
        top = len(states) - 1
        while not any(rule in self.table[states[top]] for rule in RESUME):
            top -= 1
        rule = next(rule for rule in RESUME if rule in self.table[states[top]])
        del states[top + 1 :]
        del values[top:]
        braces = [i for i, value in enumerate(values) if getattr(value, "type", "") == "LBRACE"]
        opened_by = getattr(values[braces[-1] - 1], "type", "") if braces else ""
        start = position + (position == self.resumed_at)
        found = self.skip(start, len(braces), rule, lanes=opened_by == "PARALLEL")
        self.resumed_at = found
        return found

    def skip(self, position: int, depth: int, rule: str, *, lanes: bool) -> int:
        """The next token at which `rule` can begin in the block `depth` braces deep."""
        first = position
        while position < len(self.tokens) - 1:
            token, here = self.tokens[position], self.depths[position]
            if here < depth or (here == depth and token.type == "RBRACE"):
                break
            if here == depth and position > first and self.begins(position, rule):
                break
            if here == depth and rule == "item":
                if token.type == "SEMICOLON":
                    return position + 1
                if lanes and token.type == "BAR":
                    break
            position += 1
        return position

    def begins(self, position: int, rule: str) -> bool:
        """Whether a statement (branch, protocol) seems to begin at a token."""
        token, before = self.tokens[position], self.tokens[position - 1]
        after = self.tokens[position + 1].type
        if rule == "protocol":
            return token.type in ("CHOREOGRAPHY", "HASH", "PROTOCOL")
        if before.type == "RBRACE":
            return token.type not in ("SEMICOLON", "COMMA")
        if token.line == before.line:
            return False
        if rule == "branch":
            return after in ("COLON", "WHEN", "LBRACE", "LPAR")
        return token.type in BEGINNERS or (token.type == "NAME" and after in ("ARROW", "LBRACKET"))
