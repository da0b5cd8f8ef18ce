"""Rounds: what a `foreach` goes through, and what may be named with its variable.

A free variable that pairs two families (`V[i] -> W[i+1]`) is judged like a `foreach`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..bindings import deciding
from ..errors import Span
from ..indices import is_paired, mixed, offsets, one_instance
from ..machine import INDEX_LIMIT
from ..tree import (
    All,
    At,
    Block,
    Call,
    Choice,
    Foreach,
    Index,
    Loop,
    Range,
    RoleRef,
    Send,
    Statement,
)
from ..walk import blocks, statements
from .report import Report, Scope, head, refs

Around = Mapping[str, Foreach]
"""The `foreach` statements around a place, by their variables."""


def check_rounds(report: Report) -> None:
    for scope in report.scopes:
        waiting: list[tuple[Block, Around]] = [(scope.body, {})]
        while waiting:
            block, around = waiting.pop()
            for statement in block.statements:
                inner = around
                if isinstance(statement, Foreach):
                    _foreach(report, scope, statement, around)
                    inner = {**around, statement.variable: statement}
                elif isinstance(statement, Send):
                    _free(report, scope, statement, around)
                if around:
                    _fixed(report, statement, around)
                if not isinstance(statement, Send):
                    _decider(report, scope, statement, around)
                    waiting += [(block_, inner) for block_ in blocks(statement)]


def _foreach(report: Report, scope: Scope, statement: Foreach, around: Around) -> None:
    name = statement.variable
    _family(report, scope, statement)
    _variable(report, scope, statement, around)
    if any(isinstance(s, Foreach) and s.variable == name for s in statements(statement.body)):
        return
    used = offsets(statement.body, name)
    other = mixed(statement.body, name, used)
    if other is not None:
        sentence = f"this foreach goes through {other.role} and names it without its variable too"
        hint = f"name {other.role} with [{name}] only, or write the rounds out"
        report.error("PV193", sentence, other.span, hint)
    elif _never(scope, statement.family, used):
        sentence = f"this foreach has no rounds: an index with `{name}` is always out of bounds"
        hint = f"change what is added to `{name}`, or declare more instances"
        report.error("PV127", sentence, head(statement.span, len("foreach")), hint)


def _family(report: Report, scope: Scope, statement: Foreach) -> None:
    role = scope.roles.get(statement.family.role)
    if role and not role.is_family and role.name not in scope.parameters:
        if statement.family.selector is None:
            sentence = f"`{role.name}` is not a family"
            hint = f"declare how many there are: `roles: {role.name}[N]`"
            report.error("PV152", sentence, statement.family.span, hint)
    elif isinstance(statement.family.selector, At):
        sentence = f"`{role.name if role else statement.family.role}` stands for one instance here"
        report.error("PV152", sentence, statement.family.span, "leave the index out")


def _variable(report: Report, scope: Scope, statement: Foreach, around: Around) -> None:
    name = statement.variable
    sizes = {role.size for role in report.protocol.roles if isinstance(role.size, str)}
    if name in scope.roles or name in sizes:
        sentence = f"`{name}` is already the name of a role or a size"
        report.error("PV154", sentence, statement.span, "name the variable otherwise")
    if name in around:
        line = around[name].span.line
        sentence = f"`{name}` is already the variable of the foreach on line {line}"
        span = head(statement.span, len("foreach"))
        report.error("PV152", sentence, span, "name the variable otherwise")


def _free(report: Report, scope: Scope, send: Send, around: Around) -> None:
    """A variable that no `foreach` fixes goes through all that there are."""
    for ref in (send.sender, send.receiver):
        selector = ref.selector if ref else None
        if ref is None or not isinstance(selector, At) or not _is_free(report, selector, around):
            continue
        index = selector.index
        through = send.sender if is_paired(send) else ref
        if _never(scope, through, {ref.role: frozenset({index.offset})}):
            sentence = f"there is no `{ref}`, whatever `{index.name}` is"
            hint = f"change what is added to `{index.name}`, or declare more instances"
            report.error("PV127", sentence, ref.span, hint)


def _is_free(report: Report, selector: At, around: Around) -> bool:
    name = selector.index.name
    sizes = {role.size for role in report.protocol.roles}
    return bool(name) and name not in around and name not in sizes


def _never(scope: Scope, family: RoleRef, used: Mapping[str, frozenset[int]]) -> bool:
    """Whether some index is out of bounds in every round, whatever open sizes will be."""
    return _most(scope, family, used) <= 0


def most_rounds(scope: Scope, statement: Foreach) -> int:
    """How many rounds a `foreach` may have, whatever open sizes will be."""
    return _most(scope, statement.family, offsets(statement.body, statement.variable))


def _most(scope: Scope, family: RoleRef, used: Mapping[str, frozenset[int]]) -> int:
    start, stop = _range(scope, family)
    for role, values in used.items():
        start = max(start, -min(values))
        stop = min(stop, _size(scope, role) - max(values))
    return stop - start


def _range(scope: Scope, family: RoleRef) -> tuple[int, int]:
    size = _size(scope, family.role)
    match family.selector:
        case Range(start=Index(name="", offset=start), stop=Index(name="", offset=stop)):
            return (start, stop) if start < stop else (0, size)
        case _:
            return 0, size


def _size(scope: Scope, role: str) -> int:
    declared = scope.roles.get(role)
    return declared.size if declared and isinstance(declared.size, int) else INDEX_LIMIT


def _fixed(report: Report, statement: Statement, around: Around) -> None:
    """Ranges and counts are the same in every round."""
    for index, span in _bounds(statement):
        if index.name in around:
            line = around[index.name].span.line
            sentence = f"`{index.name}` is the variable of the foreach on line {line}, and a bound"
            hint = "a range or count is the same in every round: name the bound otherwise"
            report.error("PV154", sentence, span, hint)


def _decider(report: Report, scope: Scope, statement: Statement, around: Around) -> None:
    """Who decides is one. A sub-protocol may be called where a `foreach` fixes the variable."""
    ref = statement.chooser if isinstance(statement, Choice) else None
    if isinstance(statement, Loop):
        ref = statement.decider
    role = scope.roles.get(ref.role) if ref else None
    if ref is None or role is None or not role.is_family:
        return
    match ref.selector:
        case All() | Range():
            several = True
        case At() as selector:
            free = scope.sub is None and _is_free(report, selector, around)
            several = free and selector.index.name not in report.bound
        case _:
            several = False
    if several:
        sentence = f"a choice is made by one instance, and {ref.role} is a family"
        report.error("PV191", sentence, ref.span, one_instance(ref, deciding(report.protocol)))


def _bounds(statement: Statement) -> Iterable[tuple[Index, Span]]:
    if isinstance(statement, Loop) and statement.count is not None:
        yield statement.count, head(statement.span, len("loop"))
    named = refs(statement)
    if isinstance(statement, Foreach):
        named = (statement.family,)
    elif isinstance(statement, Call):
        named = statement.arguments or ()
    for ref in named:
        if isinstance(ref.selector, Range):
            yield ref.selector.start, ref.span
            yield ref.selector.stop, ref.span
