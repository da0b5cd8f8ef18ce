"""Text -> tree. Never raises on any text: what is wrong comes back as diagnostics.

Lark's LALR tables drive the parse, one token at a time, without recursion and in linear
time. After an error the parser drops the statement (or branch, or protocol) that it was
in and goes on behind it, as yacc does (panic mode), so that all errors of a file show.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from .braces import balance
from .errors import Diagnostic, Span
from .lexing import DIAGNOSTIC_LIMIT, TEXT_LIMIT, WORD_LIMIT
from .tree import Expr, Protocol

if TYPE_CHECKING:  # see `_language`
    from .tables import Language

EXPRESSION_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Parsed:
    """The protocols of a text, also those in which an error stands (`Protocol.partial`)."""

    protocols: tuple[Protocol, ...]
    diagnostics: tuple[Diagnostic, ...]


@cache
def _language() -> Language:
    """Built at the first use (about 0.1 s), once per process."""
    from .tables import Language

    return Language()


def parse(text: str) -> Parsed:
    """Read every protocol of a text."""
    if len(text) > TEXT_LIMIT:
        return _too_large(f"the text has {len(text)} characters", TEXT_LIMIT)
    language = _language()
    with language.lock:
        return _parse(language, text)


def _too_large(sentence: str, limit: int) -> Parsed:
    hint = f"at most {limit} are read; split the file"
    return Parsed((), (Diagnostic("PV108", "error", sentence, Span(1, 1, 1, 1), hint),))


def _parse(language: Language, text: str) -> Parsed:
    build = language.build
    build.start()
    build.read_condition = lambda words, span: _condition(language, words, span)
    tokens, diagnostics = language.lexicon.tokens(text)
    if len(tokens) > WORD_LIMIT:
        return _too_large(f"the text has more than {WORD_LIMIT} words", WORD_LIMIT)
    balanced = balance(tokens)
    parse_ = language.run(balanced, "file")
    found: list[Protocol] = parse_.run(recover=True) or []
    diagnostics += _independent(diagnostics, balanced.diagnostics + parse_.diagnostics)
    broken = [d for d in diagnostics if d.severity == "error"]
    diagnostics += build.diagnostics
    if not found and not diagnostics:
        hint = "write `choreography Name { roles: A, B; A -> B: Message; }`"
        sentence = "there is no protocol in this file"
        diagnostics.append(Diagnostic("PV109", "error", sentence, Span(1, 1, 1, 1), hint))
    diagnostics += _namesakes(found)
    diagnostics.sort(key=lambda d: (d.span.line, d.span.column))
    return Parsed(_marked(found, broken), tuple(diagnostics[:DIAGNOSTIC_LIMIT]))


def _marked(protocols: list[Protocol], broken: list[Diagnostic]) -> tuple[Protocol, ...]:
    """The protocols, in the order of the source, with those marked that hold an error."""
    begins = [(p.span.line, p.span.column) for p in protocols]
    damaged = {bisect_right(begins, (d.span.line, d.span.column)) - 1 for d in broken}
    return tuple(
        replace(protocol, partial=True) if number in damaged else protocol
        for number, protocol in enumerate(protocols)
    )


def _independent(first: list[Diagnostic], later: list[Diagnostic]) -> list[Diagnostic]:
    """`later` without what only follows from a string or comment that is never closed."""
    lines = [d.span.line for d in first if d.code == "PV104"]
    if not lines:
        return later
    return [
        d
        for d in later
        if d.span.line not in lines and not (d.code == "PV105" and d.span.line <= max(lines))
    ]


def _namesakes(protocols: list[Protocol]) -> list[Diagnostic]:
    first: dict[str, Protocol] = {}
    found: list[Diagnostic] = []
    for protocol in protocols:
        other = first.setdefault(protocol.full_name, protocol)
        if other is not protocol and len(found) < DIAGNOSTIC_LIMIT:
            sentence = (
                f"`{protocol.full_name}` is declared again; "
                f"it is already declared on line {other.name_span.line}"
            )
            hint = "rename one, or give it another namespace"
            found.append(Diagnostic("PV121", "error", sentence, protocol.name_span, hint))
    return found


def _condition(language: Language, words: str, span: Span) -> Expr | None:
    """The expression in the string of `loop (custom: "...")`, placed where the string stands."""
    found = parse_expression(words, span)
    if isinstance(found, Diagnostic):
        language.build.diagnostics.append(found)
        return None
    return found


def parse_expression(text: str, string: Span | None = None) -> Expr | Diagnostic:
    """Read a guard on its own, or say what is wrong with it.

    Places are those in `text`, or in the source if `text` is the inside of a `string` there.
    """
    language = _language()
    with language.lock:
        tokens, diagnostics = language.lexicon.tokens(text[:EXPRESSION_LIMIT])
        if string is not None:
            tokens = [t._replace(line=string.line, column=string.column + t.column) for t in tokens]
            diagnostics = [replace(d, span=string) for d in diagnostics]
        balanced = balance(tokens)
        parse_ = language.run(balanced, "expression")
        found: Expr | None = parse_.run(recover=False)
        diagnostics += balanced.diagnostics + parse_.diagnostics
        if diagnostics or found is None:
            return diagnostics[0]
        return found
