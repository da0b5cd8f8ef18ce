"""What a block begins with and which channels it uses, looked for through calls and jumps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..tree import (
    Block,
    Call,
    Choice,
    Continue,
    Foreach,
    Index,
    Loop,
    Parallel,
    Rec,
    RoleRef,
    Send,
    Statement,
)
from .report import Report, Scope

Roles = Mapping[str, RoleRef]


class First(NamedTuple):
    """A message with which something can begin; `receiver` None is everyone."""

    sender: RoleRef
    receiver: RoleRef | None
    send: Send


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
                receiver = statement.receiver
                named = None if receiver is None else receiver.resolved(roles)
                search.firsts.append(First(statement.sender.resolved(roles), named, statement))
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
            return callee.body, roles
        names = callee.parameters or ()
        if len(names) != len(call.arguments):
            return None
        passed = [ref.resolved(roles) for ref in call.arguments]
        return callee.body, dict(zip(names, passed, strict=True))

    def sends(self, block: Block, roles: Roles) -> list[First]:
        """Every message of a block, also those of what it calls."""
        found: list[First] = []
        visited: set[object] = set()
        waiting: list[tuple[Block, Roles]] = [(block, roles)]
        while waiting:
            here, names = waiting.pop()
            for statement in here.statements:
                match statement:
                    case Send():
                        receiver = statement.receiver
                        named = None if receiver is None else receiver.resolved(names)
                        sender = statement.sender.resolved(names)
                        found.append(First(sender, named, statement))
                    case Call():
                        inner = self.inside(statement, names)
                        key = (statement.name, tuple(inner[1].items()) if inner else ())
                        if inner is not None and key not in visited:
                            visited.add(key)
                            waiting.append(inner)
                    case Choice():
                        waiting += [(branch.body, names) for branch in statement.branches]
                    case Parallel():
                        waiting += [(body, names) for body in statement.branches]
                    case Loop() | Rec() | Foreach():
                        waiting.append((statement.body, names))
                    case Continue():
                        pass
        return found
