"""Quick fixes. Each is tried on the text first: one that does not help is not offered."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lsprotocol import types as lsp

from ..language.errors import ChoreographyError, Diagnostic
from ..language.graph import Branching
from ..language.knowledge import elaborate, receivers
from ..language.lexing import Token
from ..language.spelling import distance
from ..language.tree import Branch, Choice, Protocol, Send
from ..language.walk import statements
from .analysis import PROJECTION_LIMIT, Analysis
from .text import Text

MEANT = re.compile(r"did you mean `(\w+)`\?")
QUOTED = re.compile(r"`(?:continue |call )?(\w+)`")
NEAR = 2
TOLD = frozenset({"PV170", "PV172"})

Edit = tuple[int, int, str]
"""Start, end, and what takes their place."""


def actions(
    analysis: Analysis, uri: str, start: int, end: int, shown: list[lsp.Diagnostic]
) -> list[lsp.CodeAction]:
    """The fixes for what was found between two offsets; `shown` is what the editor has there."""
    found = dict[str, lsp.CodeAction]()
    for diagnostic in analysis.diagnostics:
        begin, stop = analysis.text.heading(diagnostic.span)
        if stop < start or begin > end:
            continue
        for title, edits in _fixes(analysis, diagnostic):
            if title not in found and _helps(analysis, diagnostic, edits):
                about = [d for d in shown if d.code == diagnostic.code]
                found[title] = _action(analysis.text, uri, title, edits, about)
    return list(found.values())


def _fixes(analysis: Analysis, diagnostic: Diagnostic) -> Iterator[tuple[str, list[Edit]]]:
    meant = MEANT.fullmatch(diagnostic.hint)
    if meant:
        yield from _spelling(analysis, diagnostic, meant[1])
    if diagnostic.code in TOLD and len(analysis.text.text) <= PROJECTION_LIMIT:
        yield from _messages(analysis, diagnostic)


def _action(
    text: Text, uri: str, title: str, edits: list[Edit], about: list[lsp.Diagnostic]
) -> lsp.CodeAction:
    changes = [
        lsp.TextEdit(lsp.Range(text.position(start), text.position(end)), new)
        for start, end, new in edits
    ]
    return lsp.CodeAction(
        title,
        kind=lsp.CodeActionKind.QuickFix,
        diagnostics=about,
        is_preferred=True,
        edit=lsp.WorkspaceEdit(changes={uri: changes}),
    )


def _helps(analysis: Analysis, diagnostic: Diagnostic, edits: list[Edit]) -> bool:
    """Whether the text has one less of this diagnostic and no new error after the edits."""
    source = analysis.text.text
    for start, end, new in sorted(edits, reverse=True):
        source = source[:start] + new + source[end:]
    after = Analysis(Text(source), analysis.settings)
    return _count(after, diagnostic.code) < _count(analysis, diagnostic.code) and _errors(
        after
    ) <= _errors(analysis)


def _count(analysis: Analysis, code: str) -> int:
    return sum(d.code == code for d in analysis.diagnostics)


def _errors(analysis: Analysis) -> int:
    return sum(d.severity == "error" for d in analysis.diagnostics)


# --- names that were mistyped ---


def _spelling(
    analysis: Analysis, diagnostic: Diagnostic, meant: str
) -> Iterator[tuple[str, list[Edit]]]:
    begin, stop = analysis.text.extent(diagnostic.span)
    wrong = set(QUOTED.findall(diagnostic.message))
    for token in _within(analysis, begin, stop):
        if token.text in wrong and 0 < distance(token.text, meant) <= NEAR:
            edits = [(token.start, token.start + len(token.text), meant)]
            yield f"Change `{token.text}` to `{meant}`", edits


def _within(analysis: Analysis, begin: int, stop: int) -> list[Token]:
    tokens = [t for t in analysis.words.tokens if begin <= t.start < stop]
    return tokens[:40]


# --- roles that are not told which branch was taken ---


def _messages(analysis: Analysis, diagnostic: Diagnostic) -> Iterator[tuple[str, list[Edit]]]:
    """The chooser tells the role first in every branch, in a message of the branch's own."""
    for protocol in analysis.protocols:
        for statement in _choices(protocol):
            if statement.span == diagnostic.span:
                for receiver in _ignorant(protocol, statement):
                    edits = _telling(analysis, protocol, statement, receiver)
                    chooser = str(statement.chooser)
                    yield f"Let {chooser} tell {receiver} in every branch", edits


def _choices(protocol: Protocol) -> Iterator[Choice]:
    for body in (protocol.body, *(sub.body for sub in protocol.subprotocols)):
        yield from (s for s in statements(body) if isinstance(s, Choice))


def _ignorant(protocol: Protocol, choice: Choice) -> list[str]:
    """Who cannot tell the branches of the choice apart as the text stands."""
    try:
        tried = elaborate(protocol, {}, strict=True).attempt
    except ChoreographyError:
        return []
    found = dict[str, None]()
    for who, clash in tried.conflicts:
        for node in (tried.flow.nodes[number] for number in clash.choices):
            if isinstance(node, Branching) and node.statement.span == choice.span:
                found |= dict.fromkeys(receivers(tried.flow, node, who.role))
    return list(found)


def _telling(analysis: Analysis, protocol: Protocol, choice: Choice, receiver: str) -> list[Edit]:
    bodies = (protocol.body, *(sub.body for sub in protocol.subprotocols))
    taken = {s.message.label for b in bodies for s in statements(b) if isinstance(s, Send)}
    edits = list[Edit]()
    for branch in choice.branches:
        label = _label(branch.label, taken)
        taken.add(label)
        send = f"{choice.chooser!s} -> {receiver}: {label};"
        edits.append(_first(analysis.text, branch, send))
    return edits


def _label(branch: str, taken: set[str]) -> str:
    """`OutOfStock` for the branch `out_of_stock`, or a name like it that is free."""
    plain = "".join(part[:1].upper() + part[1:] for part in branch.split("_")) or "Chosen"
    if not plain[0].isalpha():
        plain = f"Chosen{plain}"
    names = (f"{plain}{ending}" for ending in ("", "Chosen", *range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _first(text: Text, branch: Branch, send: str) -> Edit:
    """Insert a statement behind the branch's brace, laid out like the one that follows it."""
    start = text.offset(branch.body.span.line, branch.body.span.column) + 1
    following = branch.body.statements[:1]
    if not following:
        return start, start, f" {send} "
    place = text.offset(following[0].span.line, following[0].span.column)
    between = text.text[start:place]
    line_start = text.text.rfind("\n", 0, place) + 1
    indent = text.text[line_start:place]
    if "\n" in between and not indent.strip():
        end = "\r\n" if "\r\n" in between else "\n"
        return start, start, f"{end}{indent}{send}"
    return start, start, f" {send}"
