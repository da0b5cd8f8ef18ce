"""What the checks share: the protocol, the places of things in it, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import Diagnostic, Severity, Span
from ..tree import (
    Block,
    Choice,
    Foreach,
    Loop,
    Parallel,
    Protocol,
    Rec,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)


class Report:
    """Collects the diagnostics of one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.subprotocols: dict[str, SubProtocol] = {}
        for sub in protocol.subprotocols:
            self.subprotocols.setdefault(sub.name, sub)
        self.found: dict[Diagnostic, None] = {}

    def error(self, code: str, message: str, span: Span, hint: str) -> None:
        self.say("error", code, message, span, hint)

    def say(self, severity: Severity, code: str, message: str, span: Span, hint: str) -> None:
        self.found[Diagnostic(code, severity, message, span, hint)] = None

    def sorted(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted(self.found, key=lambda d: (d.span.line, d.span.column, d.code)))

    def bodies(self) -> Iterator[tuple[SubProtocol | None, Block]]:
        """The protocol's own body, then that of each sub-protocol."""
        yield None, self.protocol.body
        for sub in self.protocol.subprotocols:
            yield sub, sub.body


def blocks(statement: Statement) -> Iterable[Block]:
    """The blocks directly inside a statement."""
    match statement:
        case Choice():
            return [branch.body for branch in statement.branches]
        case Parallel():
            return statement.branches
        case Loop() | Rec() | Foreach():
            return [statement.body]
        case _:
            return []


def walk(block: Block) -> Iterator[Statement]:
    """Every statement, each before what it holds."""
    for statement in block.statements:
        yield statement
        for inner in blocks(statement):
            yield from walk(inner)


def head(span: Span, length: int) -> Span:
    """The first `length` columns of a node that goes on over many lines."""
    return Span(span.line, span.column, span.line, span.column + length)


def refs(statement: Statement) -> Iterator[RoleRef]:
    """The roles that a statement itself names."""
    match statement:
        case Send():
            yield statement.sender
            if statement.receiver is not None:
                yield statement.receiver
        case Choice():
            yield statement.chooser
        case Loop() if statement.decider is not None:
            yield statement.decider
        case Foreach():
            yield statement.family
        case _:
            pass
