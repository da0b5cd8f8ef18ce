"""Roles: declared once, used, sized; indices and ranges within the family."""

from __future__ import annotations

from dataclasses import replace

from ..errors import Span
from ..machine import INDEX_LIMIT
from ..spelling import nearest
from ..tree import All, At, Call, Foreach, Index, Loop, Range, RoleDecl, RoleRef, Selector, Send
from .report import Report, Scope, refs


def check_roles(report: Report) -> None:
    _declarations(report)
    for scope, statement in report.statements():
        for ref in refs(statement):
            _reference(report, scope, ref)
        match statement:
            case Send():
                _self_send(report, statement)
            case Call():
                for ref in statement.arguments or ():
                    _reference(report, scope, ref, whole=True)
            case Foreach():
                _reference(report, scope, statement.family, whole=True)
            case _:
                pass
    if not report.protocol.partial:
        _unused(report)


def _declarations(report: Report) -> None:
    seen: dict[str, RoleDecl] = {}
    for role in report.protocol.roles:
        first = seen.setdefault(role.name, role)
        if first is not role:
            place = f"line {first.span.line}, column {first.span.column}"
            sentence = f"the role `{role.name}` is declared twice; first on {place}"
            report.error("PV122", sentence, role.span, "remove one, or rename it")
        if isinstance(role.size, int) and not 1 <= role.size <= INDEX_LIMIT:
            sentence = f"`{role.name}` cannot have {role.size} instances"
            hint = f"a family has 1 to {INDEX_LIMIT} instances"
            report.error("PV126", sentence, role.span, hint)
    for role in report.protocol.roles:
        if isinstance(role.size, str) and role.size in seen:
            sentence = f"`{role.size}` is a role, and the size of `{role.name}`"
            report.error("PV154", sentence, role.span, "give the size a name of its own")
    for sub in report.protocol.subprotocols:
        names = sub.parameters or ()
        for name in sorted({n for n in names if names.count(n) > 1}):
            sentence = f"`{sub.name}` has two parameters called `{name}`"
            report.error("PV122", sentence, sub.span, "rename one")


def _reference(report: Report, scope: Scope, ref: RoleRef, *, whole: bool = False) -> None:
    """`whole`: a family may stand without a selector, as an argument or in a foreach."""
    role = scope.roles.get(ref.role)
    if role is None:
        _unknown(report, scope, ref)
    elif role.name in scope.parameters:
        return
    elif role.size is None:
        if ref.selector is not None:
            sentence = f"`{ref.role}` is a single role and has no instances to select"
            hint = f"write `{ref.role}`, or declare a family: `roles: {ref.role}[3]`"
            report.error("PV128", sentence, ref.span, hint)
    elif ref.selector is None:
        if not whole:
            sentence = f"`{ref.role}` is a family, and this does not say which instances"
            hint = f"write `{ref.role}[*]` for all of them, or `{ref.role}[0]` for one"
            report.error("PV129", sentence, ref.span, hint)
    else:
        _bounds(report, role, ref)


def _unknown(report: Report, scope: Scope, ref: RoleRef) -> None:
    near = nearest(ref.role, scope.roles)
    if near:
        report.misspelt.add(near)
        hint = f"did you mean `{near}`?"
    elif not scope.roles:
        return
    elif scope.parameters and report.protocol.role(ref.role):
        assert scope.sub is not None, "only sub-protocols have parameters"
        hint = f"add it to the parameters: `protocol {scope.sub.name}(..., {ref.role})`"
    else:
        hint = f"declare it: `roles: {', '.join([*scope.roles, ref.role][-4:])};`"
    inside = f" in `{scope.sub.name}`" if scope.sub and scope.parameters else ""
    sentence = f"the role `{ref.role}` is not declared{inside}"
    span = Span(ref.span.line, ref.span.column, ref.span.line, ref.span.column + len(ref.role))
    report.once("PV123", sentence, span, hint)


def _bounds(report: Report, role: RoleDecl, ref: RoleRef) -> None:
    size = role.size if isinstance(role.size, int) else INDEX_LIMIT
    size = min(max(size, 1), INDEX_LIMIT)
    owns = f"`{role.name}` has {size} instances; " if isinstance(role.size, int) else ""
    match ref.selector:
        case At(index=index):
            if _outside(index, role, 0, size - 1):
                sentence = f"there is no `{role.name}[{index}]`"
                hint = f"{owns}an index goes from 0 to {_last(role, size)}"
                report.error("PV127", sentence, ref.span, hint)
        case Range(start=start, stop=stop):
            wrong = _outside(start, role, 0, size - 1) or _outside(stop, role, 1, size)
            if start.name == stop.name and start.offset >= stop.offset:
                sentence = f"the range `{start}..{stop}` is empty"
                hint = "a range holds its first index and stops before its last: `0..2` is 0 and 1"
                report.error("PV127", sentence, ref.span, hint)
            elif wrong:
                sentence = f"the range `{start}..{stop}` goes past `{role.name}`"
                hint = f"{owns}a range ends at {_end(role, size)} at most"
                report.error("PV127", sentence, ref.span, hint)
        case _:
            pass


def _outside(index: Index, role: RoleDecl, lowest: int, highest: int) -> bool:
    """Whether an index can never be right; `N` is `highest + 1 - lowest` where N is the size."""
    if index.name and index.name == role.size:
        return index.offset > lowest - 1
    return not index.name and not lowest <= index.offset <= highest


def _last(role: RoleDecl, size: int) -> str:
    return f"{role.size}-1" if isinstance(role.size, str) and role.size != "*" else str(size - 1)


def _end(role: RoleDecl, size: int) -> str:
    return role.size if isinstance(role.size, str) and role.size != "*" else str(size)


def _self_send(report: Report, send: Send) -> None:
    receiver = send.receiver
    if receiver is None or send.sender.role != receiver.role:
        return
    if _is_only(send.sender, receiver.selector):
        name = str(receiver.role)
        sentence = f"`{name}` sends `{send.message.label}` to itself"
        report.error("PV125", sentence, send.span, "name another role as the receiver")


def _is_only(sender: RoleRef, receivers: Selector | None) -> bool:
    """Whether, of the role that `sender` is of, `receivers` are it and nobody else."""
    if isinstance(receivers, Range) and isinstance(sender.selector, At):
        only = sender.selector.index
        return receivers.start == only and receivers.stop == replace(only, offset=only.offset + 1)
    return sender.selector == receivers and not isinstance(receivers, All | Range)


def _unused(report: Report) -> None:
    if any(_lost(report, call) for _, call in report.every(Call)):
        return
    used = participants(report)
    for role in report.protocol.roles:
        if role.name not in used | report.misspelt:
            sentence = f"the role `{role.name}` takes no part in the protocol"
            report.error("PV124", sentence, role.span, "remove it, or let it send or receive")


def _lost(report: Report, call: Call) -> bool:
    """Whether a call is misspelt, so that what it means uses roles that seem to be unused."""
    unknown = call.arguments is None and report.callee(call.name) is None
    return unknown and nearest(call.name, report.subprotocols) is not None


def participants(report: Report) -> set[str]:
    """The roles that send, receive or decide, also through the sub-protocols that are called.

    The least fixed point: a call passes a role on only where the callee uses it.
    """
    own = {role.name for role in report.protocol.roles}
    scopes = {
        scope.sub.name if scope.sub else report.protocol.name: scope
        for scope in reversed(report.scopes)
    }
    used = {name: _direct(report, scope, own) for name, scope in scopes.items()}
    calls = {name: _calls(report, scope) for name, scope in scopes.items()}
    asked: set[str] = set()

    def grow(name: str) -> bool:
        before = len(used[name]) if name in asked else -1
        asked.add(name)
        for callee, arguments in calls[name]:
            used[name] |= {arguments.get(role, role) for role in used.get(callee, set[str]())}
        return len(used[name]) > before

    report.settle(grow)
    return used[report.protocol.name]


def _direct(report: Report, scope: Scope, own: set[str]) -> set[str]:
    found: set[str] = set()
    for statement in report.within(scope.body):
        match statement:
            case Send(receiver=None):
                found |= set(scope.parameters or own)
            case Send(sender=sender, receiver=RoleRef() as receiver):
                found |= {sender.role, receiver.role}
            case Loop(decider=RoleRef() as decider):
                found.add(decider.role)
            case Call(arguments=tuple() as arguments) if report.callee(statement.name) is None:
                found |= {ref.role for ref in arguments}
            case _:
                pass
    return found


def _calls(report: Report, scope: Scope) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for statement in report.within(scope.body):
        if isinstance(statement, Call):
            callee = report.callee(statement.name)
            names = callee.parameters if callee else None
            given = [ref.role for ref in statement.arguments or ()]
            found.append((statement.name, dict(zip(names or (), given, strict=False))))
    return found
