"""Control: jumps have a target, recursion sends something, and every statement can be reached."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Span
from ..spelling import nearest
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
    Send,
    Statement,
)
from ..walk import blocks, first_sender, statements
from .calls import components, cyclic_calls
from .report import Report, head
from .rounds import most_rounds

Borders = Mapping[str, str]
"""The targets that a jump cannot reach, and what is between: a `parallel` or a `foreach`."""


def check_control(report: Report) -> None:
    for scope in report.scopes:
        _targets(report, scope.body)
    _owners(report)
    _Endings(report).check()
    _Silence(report).check()


def _targets(report: Report, body: Block) -> None:
    waiting: list[tuple[Block, frozenset[str], Borders]] = [(body, frozenset(), {})]
    while waiting:
        block, labels, borders = waiting.pop()
        for statement in block.statements:
            if isinstance(statement, Send):
                continue
            if isinstance(statement, Continue) and statement.label in borders:
                _jump_out(report, statement, borders[statement.label])
            elif isinstance(statement, Continue) and statement.label not in labels:
                near = nearest(statement.label, labels)
                known = f"only {', '.join(sorted(labels))}" if labels else "no `rec`"
                hint = f"did you mean `{near}`?" if near else f"{known} encloses this"
                sentence = f"`continue {statement.label}` has no `rec {statement.label}` around it"
                report.error("PV134", sentence, statement.span, hint)
            inside = _within(statement, labels, borders)
            waiting += [(block_, *inside) for block_ in blocks(statement)]


def _within(
    statement: Statement, labels: frozenset[str], borders: Borders
) -> tuple[frozenset[str], Borders]:
    """The targets inside a statement, and those that lie beyond it."""
    match statement:
        case Rec(label=label):
            return labels | {label}, {k: v for k, v in borders.items() if k != label}
        case Parallel() | Foreach():
            kind = "parallel" if isinstance(statement, Parallel) else "foreach"
            return frozenset(), {**borders, **dict.fromkeys(labels, kind)}
        case _:
            return labels, borders


def _jump_out(report: Report, statement: Continue, border: str) -> None:
    where = "a parallel branch" if border == "parallel" else "a foreach"
    inside = "branch" if border == "parallel" else border
    sentence = f"`continue {statement.label}` would jump out of {where}"
    hint = f"put the rec inside the {inside}, or the {border} inside the rec"
    report.error("PV192", sentence, statement.span, hint)


def _owners(report: Report) -> None:
    """The condition of a loop is that of whoever sends first in it."""
    for _, loop in report.every(Loop):
        if loop.kind == "custom" and first_sender(loop.body, report.subprotocols) is None:
            sentence = "nobody sends anything in this loop, so nobody can decide about it"
            span = head(loop.span, len("loop"))
            report.error("PV157", sentence, span, "send something in its body")


class _Endings:
    """Which statements can end, so that what follows them is reached.

    The least fixed point over the calls: a sub-protocol that only calls itself never ends.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.ends: dict[str, bool] = {}
        report.settle(self.grow)

    def grow(self, name: str) -> bool:
        before = self.ends.get(name, False)
        self.ends[name] = before or self.block(self.report.bodies[name])
        return self.ends[name] and not before

    def block(self, block: Block) -> bool:
        return all(self.statement(statement) for statement in block.statements)

    def statement(self, statement: Statement) -> bool:
        match statement:
            case Send():
                return True
            case Continue():
                return False
            case Loop(kind="forever"):
                return False
            case Choice():
                bodies = [branch.body for branch in statement.branches]
                return not bodies or any(self.block(body) for body in bodies)
            case Parallel():
                return all(self.block(body) for body in statement.branches)
            case Rec() | Foreach():
                return self.block(statement.body)
            case Loop(kind="count", count=Index(name="", offset=count)):
                return count == 0 or self.block(statement.body)
            case Call():
                return statement.name not in self.report.bodies or self.ends.get(
                    statement.name, False
                )
            case _:
                return True

    def check(self) -> None:
        excused: set[int] = set()
        if cyclic_calls(self.report):
            excused = {id(call) for _, call in self.report.every(Call)}
        for scope in self.report.scopes:
            waiting = [scope.body]
            while waiting:
                block = waiting.pop()
                self.follow(block, excused)
                for statement in block.statements:
                    waiting += blocks(statement)
        if not excused:
            for _, loop in self.report.every(Loop):
                if loop.kind == "count" and loop.count not in (Index("", 0), Index("", 1)):
                    self.later_rounds(loop, "loop")
            for scope, each in self.report.every(Foreach):
                if most_rounds(scope, each) > 1 and not _is_left(each):
                    self.later_rounds(each, "foreach")

    def later_rounds(self, loop: Loop | Foreach, word: str) -> None:
        """What is counted goes round again from the end of its body only."""
        if loop.body.statements and not self.block(loop.body):
            sentence = f"the later rounds of this {word} can never be reached: its body never ends"
            span = head(loop.span, len(word))
            self.report.error("PV136", sentence, span, f"remove the {word}, or let its body end")

    def follow(self, block: Block, excused: set[int]) -> None:
        for statement, after in zip(block.statements, block.statements[1:], strict=False):
            if id(statement) not in excused and not self.statement(statement):
                why = _never(statement)
                sentence = f"this can never be reached: {why}"
                hint = "remove it, or move it before"
                self.report.error("PV136", sentence, after.span, hint)
                return


def _is_left(each: Foreach) -> bool:
    """Whether a jump leads out of it, which is another mistake."""
    inside = list(statements(each.body))
    here = {rec.label for rec in inside if isinstance(rec, Rec)}
    return any(isinstance(jump, Continue) and jump.label not in here for jump in inside)


def _never(statement: Statement) -> str:
    line = f"on line {statement.span.line}"
    match statement:
        case Continue():
            return f"`continue {statement.label}` {line} jumps away"
        case Loop():
            return f"the `loop` {line} has no end"
        case Call():
            return f"`call {statement.name}` {line} never comes back"
        case _:
            return f"every path of the statement {line} jumps away or goes on for ever"


class _Silence:
    """Recursion that sends nothing would spin for ever (unguarded recursion).

    For each block: which jumps and calls can be reached from its beginning without a
    message, and whether its end can.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.calls: dict[str, dict[str, Span]] = {}
        report.settle(self.grow)

    def grow(self, name: str) -> bool:
        self.calls[name] = {}
        if not self.block(self.report.bodies[name], self.calls[name], {}):
            return False
        grown = name not in self.report.silent
        self.report.silent.add(name)
        return grown

    def check(self) -> None:
        self.loops()
        self.cycles()

    def loops(self) -> None:
        for _, rec in self.report.every(Rec):
            jumps: dict[str, Span] = {}
            self.block(rec.body, {}, jumps)
            if rec.label in jumps:
                self.report.unguarded.add(jumps[rec.label])
                sentence = f"`continue {rec.label}` can come back without any message"
                hint = f"send something between `rec {rec.label}` and the `continue`"
                self.report.error("PV135", sentence, jumps[rec.label], hint)
        for _, loop in self.report.every(Loop):
            if loop.kind == "forever" and self.block(loop.body, {}, {}):
                sentence = "this loop can go round without any message"
                span = head(loop.span, len("loop"))
                self.report.error("PV135", sentence, span, "send something in its body")

    def cycles(self) -> None:
        component = components({name: set(calls) for name, calls in self.calls.items()})
        told: set[int] = set()
        for name, calls in self.calls.items():
            for callee, span in calls.items():
                if component[callee] == component[name] and self.returns(callee, name):
                    self.report.unguarded.add(span)
                    if component[name] in told:
                        continue
                    told.add(component[name])
                    sentence = f"`call {callee}` can come back to itself without any message"
                    self.report.error("PV135", sentence, span, "send something before the call")

    def returns(self, start: str, goal: str) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            name = waiting.pop()
            if name == goal:
                return True
            waiting += [n for n in self.calls[name] if n not in seen]
            seen |= set(self.calls[name])
        return False

    def block(self, block: Block, calls: dict[str, Span], jumps: dict[str, Span]) -> bool:
        """Whether the end can be reached in silence; fills in the calls and jumps met so."""
        return all(self.statement(s, calls, jumps) for s in block.statements)

    def statement(
        self, statement: Statement, calls: dict[str, Span], jumps: dict[str, Span]
    ) -> bool:
        match statement:
            case Send():
                return False
            case Continue():
                jumps.setdefault(statement.label, statement.span)
                return False
            case Call():
                if statement.name in self.report.bodies:
                    calls.setdefault(statement.name, statement.span)
                return statement.name in self.report.silent
            case Choice():
                bodies = [branch.body for branch in statement.branches]
                through = [self.block(body, calls, jumps) for body in bodies]
                return any(through)
            case Parallel():
                through = [self.block(body, calls, jumps) for body in statement.branches]
                return all(through)
            case Rec():
                inner: dict[str, Span] = {}
                passes = self.block(statement.body, calls, inner)
                inner.pop(statement.label, None)
                for label, span in inner.items():
                    jumps.setdefault(label, span)
                return passes
            case Loop(kind="count", count=Index(name="", offset=0)):
                return True
            case Loop() | Foreach():
                passes = self.block(statement.body, calls, jumps)
                return passes and getattr(statement, "kind", "") != "forever"
