"""The outline of a document: protocols, their roles, and the conversation in its blocks."""

from __future__ import annotations

from lsprotocol import types as lsp

from ..language.draw.lines import message_text
from ..language.errors import Span
from ..language.tree import (
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
    Loop,
    Parallel,
    Protocol,
    Rec,
    Send,
    Statement,
)
from .analysis import Analysis

DEPTH = 12
"""Blocks deeper than this are left out, so that what is sent nests within bounds."""

Kind = lsp.SymbolKind


def outline(analysis: Analysis) -> list[lsp.DocumentSymbol]:
    drawing = _Outline(analysis)
    return [drawing.protocol(p) for p in analysis.protocols]


class _Outline:
    def __init__(self, analysis: Analysis) -> None:
        self.text = analysis.text

    def symbol(
        self,
        name: str,
        kind: lsp.SymbolKind,
        span: Span,
        children: list[lsp.DocumentSymbol] | None = None,
        *,
        selection: Span | None = None,
    ) -> lsp.DocumentSymbol:
        whole = self.text.range(span)
        chosen = self.text.range(selection) if selection else lsp.Range(whole.start, whole.start)
        return lsp.DocumentSymbol(name, kind, whole, chosen, children=children)

    def protocol(self, protocol: Protocol) -> lsp.DocumentSymbol:
        children = [
            self.symbol(
                role.name if role.size is None else f"{role.name}[{role.size}]",
                Kind.Object if role.size is None else Kind.Array,
                role.span,
            )
            for role in protocol.roles
        ]
        children += self.block(protocol.body, DEPTH)
        for sub in protocol.subprotocols:
            names = "" if sub.parameters is None else f"({', '.join(sub.parameters)})"
            inner = self.block(sub.body, DEPTH)
            children.append(self.symbol(f"{sub.name}{names}", Kind.Function, sub.span, inner))
        return self.symbol(
            protocol.full_name,
            Kind.Module,
            protocol.span,
            children,
            selection=protocol.name_span,
        )

    def block(self, block: Block, depth: int) -> list[lsp.DocumentSymbol]:
        if depth == 0:
            return []
        return [self.statement(statement, depth - 1) for statement in block.statements]

    def statement(self, statement: Statement, depth: int) -> lsp.DocumentSymbol:
        span = statement.span
        match statement:
            case Send():
                receiver = str(statement.receiver) if statement.receiver else "*"
                sides = f"{statement.sender} -> {receiver}"
                name = f"{sides}: {message_text(statement.message)}"
                return self.symbol(name, Kind.Event, span)
            case Choice():
                branches = [
                    self.symbol(b.label, Kind.EnumMember, b.span, self.block(b.body, depth))
                    for b in statement.branches
                ]
                name = f"choice {statement.chooser}"
                return self.symbol(name, Kind.Enum, span, branches)
            case Parallel():
                lanes = [
                    self.symbol(f"branch {n}", Kind.EnumMember, lane.span, self.block(lane, depth))
                    for n, lane in enumerate(statement.branches, start=1)
                ]
                return self.symbol("parallel", Kind.Enum, span, lanes)
            case Continue() | Call():
                word = "continue" if isinstance(statement, Continue) else "call"
                target = statement.label if isinstance(statement, Continue) else statement.name
                return self.symbol(f"{word} {target}", Kind.Key, span)
            case Loop() | Rec() | Foreach():
                inner = self.block(statement.body, depth)
                return self.symbol(_heading(statement), Kind.Namespace, span, inner)


def _heading(statement: Loop | Rec | Foreach) -> str:
    match statement:
        case Rec():
            return f"rec {statement.label}"
        case Foreach():
            return f"foreach {statement.variable} in {statement.family}"
        case Loop(count=count) if count is not None:
            return f"loop {count} times"
        case Loop(decider=decider) if decider is not None:
            return f"loop while {decider} decides to"
        case Loop(kind="custom"):
            return "loop while its condition holds"
        case _:
            return "loop"
