"""What the checks share: the protocol, the places of things in it, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from ..errors import Diagnostic, Severity, Span
from ..lexing import DIAGNOSTIC_LIMIT
from ..tree import (
    Block,
    Call,
    Choice,
    Loop,
    Protocol,
    RoleDecl,
    RoleRef,
    Send,
    Statement,
    SubProtocol,
)
from ..walk import statements

Kind = TypeVar("Kind", bound=Statement)


@dataclass(frozen=True)
class Scope:
    """A body and the roles that can be named there: a sub-protocol with parameters sees these
    only, one without sees the roles of the protocol."""

    body: Block
    roles: Mapping[str, RoleDecl]
    sub: SubProtocol | None = None
    parameters: frozenset[str] = field(default=frozenset[str]())

    @cached_property
    def references(self) -> dict[str, RoleRef]:
        """The roles, each standing for itself."""
        return {name: RoleRef(name) for name in self.roles}


class Report:
    """Collects the diagnostics of one protocol."""

    def __init__(self, protocol: Protocol, bound: Collection[str] = ()) -> None:
        self.protocol = protocol
        self.bound = bound
        """The index variables that have a value."""
        self.subprotocols: dict[str, SubProtocol] = {}
        for sub in protocol.subprotocols:
            self.subprotocols.setdefault(sub.name, sub)
        own: dict[str, RoleDecl] = {}
        for role in protocol.roles:
            own.setdefault(role.name, role)
        self.scopes = [Scope(protocol.body, own)]
        for sub in protocol.subprotocols:
            if sub.parameters is None:
                self.scopes.append(Scope(sub.body, own, sub))
            else:
                given = {name: RoleDecl(name, span=sub.span) for name in sub.parameters}
                self.scopes.append(Scope(sub.body, given, sub, frozenset(given)))
        self.misspelt: set[str] = set()
        """Roles that an unknown name was probably meant to be."""
        self.unguarded: set[Span] = set()
        """The jumps and calls that come back without a message."""
        self.silent: set[str] = set()
        """The bodies that can be passed without a message; found by the checks of control."""
        self._said: set[tuple[str, str]] = set()
        self._listed: dict[int, tuple[Statement, ...]] = {}
        self._kinds: dict[type[object], list[tuple[Scope, Statement]]] = {}
        self._own = SubProtocol(protocol.name, tuple(own), protocol.body, span=protocol.name_span)
        self.bodies: dict[str, Block] = {protocol.name: protocol.body}
        """What can be called, by name."""
        for sub in protocol.subprotocols:
            self.bodies.setdefault(sub.name, sub.body)
        self._found: dict[tuple[str, Span, str], Diagnostic] = {}

    def error(self, code: str, message: str, span: Span, hint: str) -> None:
        self.say("error", code, message, span, hint)

    def once(self, code: str, message: str, span: Span, hint: str) -> None:
        """An error that is said at the first place only, however often it stands there."""
        if (code, message) not in self._said:
            self._said.add((code, message))
            self.error(code, message, span, hint)

    def say(self, severity: Severity, code: str, message: str, span: Span, hint: str) -> None:
        found = Diagnostic(code, severity, message, span, hint)
        self._found.setdefault((code, span, message), found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """In the order of the source; of very many, errors before warnings."""
        found = sorted(self._found.values(), key=lambda d: (d.span.line, d.span.column, d.code))
        if len(found) > DIAGNOSTIC_LIMIT:
            first = sorted(found, key=lambda d: d.severity != "error")[:DIAGNOSTIC_LIMIT]
            found = [d for d in found if d in set(first)]
        return tuple(found)

    def statements(self) -> Iterator[tuple[Scope, Statement]]:
        for scope in self.scopes:
            for statement in self.within(scope.body):
                yield scope, statement

    def every(self, kind: type[Kind]) -> list[tuple[Scope, Kind]]:
        """The statements of one kind; most checks are about one, so they are sorted once."""
        if not self._kinds:
            for placed in self.statements():
                self._kinds.setdefault(type(placed[1]), []).append(placed)
        return cast("list[tuple[Scope, Kind]]", self._kinds.get(kind, []))

    def within(self, body: Block) -> tuple[Statement, ...]:
        """All statements inside `body`, listed once."""
        listed = self._listed.get(id(body))
        if listed is None:
            listed = self._listed[id(body)] = tuple(statements(body))
        return listed

    def callee(self, name: str) -> SubProtocol | None:
        """The sub-protocol, or the protocol itself seen as one."""
        if name in self.subprotocols:
            return self.subprotocols[name]
        return self._own if name == self.protocol.name else None

    def settle(self, grow: Callable[[str], bool]) -> None:
        """The least fixed point over the calls: `grow(name)` says whether it found more for
        that body; those that call it are then asked again."""
        callers: dict[str, list[str]] = {name: [] for name in self.bodies}
        for name, body in self.bodies.items():
            for statement in self.within(body):
                if isinstance(statement, Call) and statement.name in callers:
                    callers[statement.name].append(name)
        waiting = dict.fromkeys(self.bodies)
        while waiting:
            name = next(iter(waiting))
            del waiting[name]
            if grow(name):
                waiting |= dict.fromkeys(callers[name])


def head(span: Span, length: int) -> Span:
    """The first `length` columns of a node that goes on over many lines."""
    return Span(span.line, span.column, span.line, span.column + length)


def refs(statement: Statement) -> tuple[RoleRef, ...]:
    """The roles that a statement itself names."""
    match statement:
        case Send(sender=sender, receiver=receiver):
            return (sender,) if receiver is None else (sender, receiver)
        case Choice():
            return (statement.chooser,)
        case Loop(decider=RoleRef() as decider):
            return (decider,)
        case _:
            return ()
