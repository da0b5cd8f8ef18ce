"""Makes the braces of a token list match, so that the parser can recover from any error."""

from __future__ import annotations

from typing import NamedTuple

from .errors import Diagnostic
from .lexing import DIAGNOSTIC_LIMIT, Token

NESTING_LIMIT = 100
OPERATOR_LIMIT = 100

OPENERS = {"LBRACE": "RBRACE", "LBRACKET": "RBRACKET", "LPAR": "RPAR"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
NESTING = frozenset(
    {
        "LESS",
        "DOT",
        "OR",
        "BARBAR",
        "AND",
        "AMPAMP",
        "NOT",
        "BANG",
        "IN",
        "SAME",
        "DIFFERENT",
        "ATMOST",
        "GREATER",
        "ATLEAST",
        "PLUS",
        "MINUS",
        "STAR",
        "SLASH",
        "PERCENT",
    }
)
FRESH = frozenset({"SEMICOLON", "LBRACE", "RBRACE", "ARROW", "COLON", "WHEN"})


class Balanced(NamedTuple):
    """Tokens whose braces match, and how many braces are open before each of them."""

    tokens: list[Token]
    depths: list[int]
    diagnostics: list[Diagnostic]


class _Balancer:
    def __init__(self, tokens: list[Token]) -> None:
        self.source = tokens
        self.tokens: list[Token] = []
        self.depths: list[int] = []
        self.open: list[Token] = []
        self.braces = 0
        self.in_wrapper = False
        self.diagnostics: list[Diagnostic] = []

    def run(self) -> Balanced:
        operators = 0
        for position, token in enumerate(self.source):
            kind = token.type
            operators = 0 if kind in FRESH else operators + (kind in NESTING)
            if operators > OPERATOR_LIMIT:
                return self.give_up(token, f"more than {OPERATOR_LIMIT} operators in one place")
            if kind in OPENERS:
                if len(self.open) >= NESTING_LIMIT:
                    return self.give_up(token, f"nested more than {NESTING_LIMIT} deep")
                self.push(token)
            elif kind in CLOSERS:
                self.close(token)
            else:
                if kind in ("CHOREOGRAPHY", "HASH", "$END"):
                    self.begin(position)
                elif kind == "SEMICOLON":
                    self.forget_brackets()
                self.add(token)
        return Balanced(self.tokens, self.depths, self.diagnostics)

    def push(self, token: Token) -> None:
        if not self.open:
            before = [t.type for t in self.tokens[-2:]]
            self.in_wrapper = before == ["CHOREOGRAPHY", "BANG"]
        self.add(token)
        self.open.append(token)
        self.braces += token.type == "LBRACE"

    def add(self, token: Token) -> None:
        self.tokens.append(token)
        self.depths.append(self.braces)

    def close(self, token: Token) -> None:
        if token.type != "RBRACE":
            if self.open and self.open[-1].type == CLOSERS[token.type]:
                self.open.pop()
            self.add(token)
            return
        self.forget_brackets()
        if not self.open:
            self.say("PV105", "this `}` closes nothing", token, "remove it, or add the `{`")
            return
        self.add(token)
        self.open.pop()
        self.braces -= 1

    def forget_brackets(self) -> None:
        """An unclosed `(` or `[` ends with its statement; the parser says so."""
        while self.open and self.open[-1].type != "LBRACE":
            self.open.pop()

    def begin(self, position: int) -> None:
        """Where a protocol can only begin, and at the end, close what is still open."""
        token = self.source[position]
        following = [t.type for t in self.source[position + 1 : position + 3]]
        allowed = 0
        if token.type == "HASH" or following == ["NAME", "LBRACE"]:
            allowed = int(self.in_wrapper and self.braces > 0)
        elif token.type == "CHOREOGRAPHY" and following[:1] != ["BANG"]:
            return
        self.forget_brackets()
        if self.braces > allowed:
            what = "the end of the file" if token.type == "$END" else f"line {token.line}"
            hint = f"a `}}` is missing before {what}"
            self.say("PV105", "this `{` is never closed", self.open[-1], hint)
        while self.braces > allowed:
            self.add(token._replace(type="RBRACE", text=""))
            self.open.pop()
            self.braces -= 1

    def give_up(self, token: Token, what: str) -> Balanced:
        self.say("PV106", f"this is {what}", token, "split it into sub-protocols or messages")
        end = token._replace(type="$END", text="")
        return Balanced([end], [0], self.diagnostics)

    def say(self, code: str, message: str, token: Token, hint: str) -> None:
        if len(self.diagnostics) < DIAGNOSTIC_LIMIT:
            self.diagnostics.append(Diagnostic(code, "error", message, token.span, hint))


def balance(tokens: list[Token]) -> Balanced:
    """Close what is never closed, drop what closes nothing, and measure the depth."""
    return _Balancer(tokens).run()
