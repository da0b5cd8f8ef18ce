"""What a block begins with and which channels it uses, looked for through calls and jumps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..indices import Channels, Stretch, shift, stretch
from ..tree import (
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
    Index,
    Loop,
    Parallel,
    Range,
    Rec,
    RoleRef,
    Send,
    Statement,
)
from .report import Report, Scope

Roles = Mapping[str, RoleRef]
Stretches = Mapping[str, Stretch]
NOWHERE: Stretches = {}


class First(NamedTuple):
    """A message with which something can begin; `receiver` None is everyone, and `others` are who that
    is. `stretches` are the indices of the `foreach` around it, where they are known."""

    sender: RoleRef
    receiver: RoleRef | None
    send: Send
    others: tuple[RoleRef, ...] = ()
    stretches: Stretches = NOWHERE

    @staticmethod
    def of(send: Send, roles: Roles, stretches: Stretches = NOWHERE) -> First:
        """A message where its roles stand for `roles`."""
        sender = send.sender.resolved(roles)
        if send.receiver is not None:
            return First(sender, send.receiver.resolved(roles), send, (), stretches)
        others = tuple(ref for name, ref in roles.items() if name != send.sender.role)
        return First(sender, None, send, others, stretches)

    @property
    def receivers(self) -> tuple[RoleRef, ...]:
        return self.others if self.receiver is None else (self.receiver,)

    def channels(self, receiver: RoleRef) -> Channels:
        """Those that it goes over to one of its receivers."""
        known = self.stretches
        ends = stretch(self.sender, known), stretch(receiver, known)
        return Channels(*ends, shift(self.sender, receiver))


class _Search:
    """One walk. Every call and jump target is entered once, which ends recursion and keeps
    the walk linear; what a second visit would find has been found already."""

    def __init__(self) -> None:
        self.firsts: list[First] = []
        self.visited: set[object] = set()
        self.calls: list[tuple[Block, Roles]] = []


class Unfolding:
    """Walks the statements of one scope; `recs` are the jump targets around them."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def firsts(self, block: Block, scope: Scope, recs: Mapping[str, Rec]) -> list[First]:
        """All messages that a block can begin with, and that nothing comes before."""
        search = _Search()
        self._begin(block, scope.references, recs, search)
        while search.calls:
            body, passed = search.calls.pop()
            self._begin(body, passed, {}, search)
        return search.firsts

    def _begin(self, block: Block, roles: Roles, recs: Mapping[str, Rec], search: _Search) -> bool:
        """Whether the end of the block can be reached without a message."""
        return all(self._first(s, roles, recs, search) for s in block.statements)

    def _first(
        self, statement: Statement, roles: Roles, recs: Mapping[str, Rec], search: _Search
    ) -> bool:
        match statement:
            case Send():
                search.firsts.append(First.of(statement, roles))
                return False
            case Choice():
                bodies = [branch.body for branch in statement.branches]
                through = [self._begin(body, roles, recs, search) for body in bodies]
                return any(through)
            case Parallel():
                through = [self._begin(b, roles, recs, search) for b in statement.branches]
                return all(through)
            case Rec():
                inner = {**recs, statement.label: statement}
                return self._begin(statement.body, roles, inner, search)
            case Loop(kind="count", count=Index(name="", offset=0)):
                return True
            case Loop(kind="count", count=Index() as count):
                passed = self._begin(statement.body, roles, recs, search)
                return passed or bool(count.name)
            case Loop() | Foreach():
                self._begin(statement.body, roles, recs, search)
                return False
            case Continue():
                self._jump(statement, roles, recs, search)
                return False
            case Call():
                return self._call(statement, roles, search)

    def _jump(self, jump: Continue, roles: Roles, recs: Mapping[str, Rec], search: _Search) -> None:
        target = None if jump.span in self.report.unguarded else recs.get(jump.label)
        if target is not None and id(target) not in search.visited:
            search.visited.add(id(target))
            self._begin(target.body, roles, recs, search)

    def _call(self, call: Call, roles: Roles, search: _Search) -> bool:
        inner = self.inside(call, roles)
        if inner is None or call.span in self.report.unguarded:
            return False
        body, passed = inner
        key = (call.name, tuple(passed.items()))
        if key not in search.visited:
            search.visited.add(key)
            search.calls.append((body, passed))
        return call.name in self.report.silent

    def inside(self, call: Call, roles: Roles) -> tuple[Block, Roles] | None:
        """The body of the callee and what its roles are; None where the call is wrong."""
        callee = self.report.callee(call.name)
        if callee is None:
            return None
        if call.arguments is None:
            own = callee.parameters or [role.name for role in self.report.protocol.roles]
            return callee.body, {name: roles.get(name, RoleRef(name)) for name in own}
        names = callee.parameters or ()
        if len(names) != len(call.arguments):
            return None
        passed = [ref.resolved(roles) for ref in call.arguments]
        return callee.body, dict(zip(names, passed, strict=True))

    def sends(self, block: Block, roles: Roles) -> list[First]:
        """Every message of a block, also those of what it calls."""
        found: list[First] = []
        visited: set[object] = set()
        waiting: list[tuple[Block, Roles, Stretches]] = [(block, roles, NOWHERE)]
        while waiting:
            here, names, known = waiting.pop()
            for statement in here.statements:
                match statement:
                    case Send():
                        found.append(First.of(statement, names, known))
                    case Call():
                        inner = self.inside(statement, names)
                        passed = tuple(inner[1].items()) if inner else ()
                        key = (statement.name, passed, tuple(known.items()))
                        if inner is not None and key not in visited:
                            visited.add(key)
                            waiting.append((*inner, known))
                    case Choice():
                        waiting += [(branch.body, names, known) for branch in statement.branches]
                    case Parallel():
                        waiting += [(body, names, known) for body in statement.branches]
                    case Foreach():
                        within = self._rounds(statement, names, known)
                        waiting.append((statement.body, names, within))
                    case Loop() | Rec():
                        waiting.append((statement.body, names, known))
                    case Continue():
                        pass
        return found

    def _rounds(self, foreach: Foreach, roles: Roles, known: Stretches) -> Stretches:
        """What is known of indices inside a `foreach`."""
        family = foreach.family.resolved(roles)
        declared = self.report.protocol.role(family.role)
        found = stretch(family, known)
        if found is None and not isinstance(family.selector, Range):
            size = declared.size if declared else None
            found = (0, size) if isinstance(size, int) else None
        inner = {name: at for name, at in known.items() if name != foreach.variable}
        return inner if found is None else {**inner, foreach.variable: found}
