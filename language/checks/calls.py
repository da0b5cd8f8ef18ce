"""Calls: the callee exists, gets the roles it asks for, and recursion is tail recursion."""

from __future__ import annotations

from collections.abc import Iterator

from ..spelling import nearest
from ..tree import Block, Call, Choice, Rec, RoleRef, SubProtocol
from .report import Report, Scope, refs


def check_calls(report: Report) -> None:
    _definitions(report)
    for scope, call in report.every(Call):
        callee = report.callee(call.name)
        if callee is None:
            _unknown(report, call)
        else:
            _arguments(report, scope, call, callee)
    if not report.protocol.partial:
        _uncalled(report)
    for call in cyclic_calls(report):
        sentence = f"`call {call.name}` comes back to itself, and something follows it"
        hint = "make the call the last statement, or repeat with `rec` or `loop`"
        report.error("PV132", sentence, call.span, hint)


def _definitions(report: Report) -> None:
    seen: dict[str, SubProtocol] = {}
    for sub in report.protocol.subprotocols:
        first = seen.setdefault(sub.name, sub)
        if first is not sub:
            sentence = f"`{sub.name}` is defined twice; first on line {first.span.line}"
            report.error("PV131", sentence, sub.span, "rename one of them")
        elif sub.name == report.protocol.name:
            sentence = f"`{sub.name}` is the name of the whole protocol"
            report.error("PV131", sentence, sub.span, "rename the sub-protocol")


def _uncalled(report: Report) -> None:
    """Statements of a sub-protocol that no call leads to are never reached."""
    reached = {report.protocol.name}
    waiting = [report.protocol.body]
    while waiting:
        for statement in report.within(waiting.pop()):
            name = statement.name if isinstance(statement, Call) else ""
            if name and name not in report.bodies:
                return  # It was probably meant to be one of them.
            if name in report.bodies and name not in reached:
                reached.add(name)
                waiting.append(report.bodies[name])
    for name, sub in report.subprotocols.items():
        if name not in reached:
            sentence = f"this can never be reached: nothing calls `{name}`"
            report.error("PV136", sentence, sub.span, f"write `{_call(sub)}`, or remove it")


def _unknown(report: Report, call: Call) -> None:
    near = nearest(call.name, [*report.subprotocols, report.protocol.name])
    hint = f"did you mean `{near}`?" if near else f"define it: `protocol {call.name} {{ ... }}`"
    report.error("PV130", f"there is no sub-protocol `{call.name}`", call.span, hint)


def _arguments(report: Report, scope: Scope, call: Call, callee: SubProtocol) -> None:
    wanted = callee.parameters
    itself = callee.name == report.protocol.name
    if call.arguments is None:
        if wanted and not itself:
            sentence = f"`{call.name}` is called without its {_roles(len(wanted))}"
            report.error("PV133", sentence, call.span, _usage(callee))
        return
    if len(call.arguments) != len(wanted or ()):
        number = len(wanted or ())
        sentence = f"`{call.name}` takes {_roles(number)}, not {len(call.arguments)}"
        report.error("PV133", sentence, call.span, _usage(callee))
        return
    for position, ref in enumerate(call.arguments):
        if ref in call.arguments[:position]:
            sentence = f"`{ref.role}` is given twice to `{call.name}`"
            report.error("PV133", sentence, ref.span, "a role plays one part at a time")
        if not itself:
            _selectors(report, scope, ref, callee, (wanted or ())[position])


def _roles(number: int) -> str:
    return "no roles" if number == 0 else f"{number} role{'s' if number > 1 else ''}"


def _usage(callee: SubProtocol) -> str:
    return f"write `{_call(callee)}` with your roles"


def _call(callee: SubProtocol) -> str:
    names = f"({', '.join(callee.parameters)})" if callee.parameters else ""
    return f"call {callee.name}{names};"


def _selectors(
    report: Report, scope: Scope, ref: RoleRef, callee: SubProtocol, parameter: str
) -> None:
    """A parameter is used with an index where it gets a family, and without where one role."""
    role = scope.roles.get(ref.role)
    if role is None or ref.role in scope.parameters:
        return
    used = [
        inner for s in report.within(callee.body) for inner in refs(s) if inner.role == parameter
    ]
    whole = role.is_family and ref.selector is None
    if whole and any(inner.selector is None for inner in used):
        sentence = f"`{callee.name}` uses `{parameter}` as one role, and `{ref.role}` is a family"
        report.error("PV129", sentence, ref.span, f"name an instance: `{ref.role}[0]`")
    if not whole and any(inner.selector is not None for inner in used):
        sentence = f"`{callee.name}` uses `{parameter}` as a family, and this is one role"
        report.error("PV128", sentence, ref.span, "give it a family")


def cyclic_calls(report: Report) -> list[Call]:
    """The calls, not in tail position, through which a body comes back to itself."""
    if not report.every(Call):
        return []
    bodies = report.bodies
    called = {
        name: {s.name for s in report.within(body) if isinstance(s, Call) and s.name in bodies}
        for name, body in bodies.items()
    }
    component = components(called)
    found: list[Call] = []
    for name, body in bodies.items():
        tail = {id(call) for call in _tail_calls(body)}
        for statement in report.within(body):
            if isinstance(statement, Call) and statement.name in bodies:
                comes_back = component[statement.name] == component[name]
                if comes_back and id(statement) not in tail:
                    found.append(statement)
    return found


def _tail_calls(body: Block) -> Iterator[Call]:
    """The calls after which the body has nothing left to do."""
    waiting = [body]
    while waiting:
        block = waiting.pop()
        match block.statements[-1:]:
            case (Call() as call,):
                yield call
            case (Choice() as choice,):
                waiting += [branch.body for branch in choice.branches]
            case (Rec() as rec,):
                waiting.append(rec.body)
            case _:
                pass


def components(edges: dict[str, set[str]]) -> dict[str, int]:
    """The strongly connected component of each node (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    component: dict[str, int] = {}
    for root, first in edges.items():
        if root in index:
            continue
        work = [(root, iter(sorted(first)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, following = work[-1]
            step = next(following, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    number = len(component)
                    while node not in component:
                        component[stack.pop()] = number
            elif step not in index:
                index[step] = low[step] = len(index)
                stack.append(step)
                work.append((step, iter(sorted(edges[step]))))
            elif step not in component:
                low[node] = min(low[node], index[step])
    return component
