"""Times: branches that wait for one, and times that could never pass."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotations import is_time, timeout
from ..timing import duration
from ..tree import (
    Block,
    Branch,
    Call,
    Choice,
    Continue,
    Duration,
    Loop,
    Rec,
    RoleRef,
    Send,
    Statement,
)
from ..walk import blocks
from .report import Report, head
from .unfolding import Roles, Unfolding

NAME = "timeout"
SENDS_ONLY = ("retry", "priority", "compress")


def check_times(report: Report) -> None:
    if not any(_may_be_timed(statement) for _, statement in report.statements()):
        return
    for scope in report.scopes:
        waiting: list[tuple[Block, float]] = [(scope.body, 0.0)]
        while waiting:
            block, around = waiting.pop()
            for statement in block.statements:
                inside = _statement(report, statement, around)
                waiting += [(inner, inside) for inner in blocks(statement)]


def _may_be_timed(statement: Statement) -> bool:
    match statement:
        case Send():
            sides = statement.sender_annotations or statement.receiver_annotations
            return bool(sides or statement.annotations)
        case Continue():
            return False
        case Choice(branches=branches) if any(b.timeout is not None for b in branches):
            return True
        case _:
            return bool(statement.annotations)


def _statement(report: Report, statement: Statement, around: float) -> float:
    """Check one statement inside a block of `around` seconds (0 for none); what holds inside it."""
    if isinstance(statement, Continue):
        return around
    own = timeout(statement.annotations)
    if isinstance(statement, Send):
        sides = (statement.sender_annotations, statement.receiver_annotations)
        for seconds in (own, *map(timeout, sides)):
            _within(report, statement, seconds, around)
        return around
    _within(report, statement, own, around)
    _on_a_block(report, statement)
    inside = min((time for time in (own, around) if time), default=0.0)
    if isinstance(statement, Choice):
        _choice(report, statement, inside)
    return inside


def _within(report: Report, statement: Statement, own: float, around: float) -> None:
    if own and around and own >= around:
        sentence = f"this timeout of {duration(own)} can never pass"
        hint = f"the block around it is over after {duration(around)}: give this less time"
        report.say("warning", "PV165", sentence, head(statement.span, 1), hint)


def _on_a_block(report: Report, statement: Statement) -> None:
    assert not isinstance(statement, Continue)
    for annotation in statement.annotations:
        if annotation.key in SENDS_ONLY:
            sentence = f"`{annotation.key}` does nothing on a block"
            hint = "write it on the messages that it is meant for"
            report.say("warning", "PV166", sentence, annotation.span, hint)


def _choice(report: Report, choice: Choice, inside: float) -> None:
    timed = [(branch, branch.timeout) for branch in choice.branches if branch.timeout is not None]
    for branch, time in timed:
        _branch(report, branch, time)
        if inside and time.seconds >= inside:
            reason = f"the choice has to be over after {duration(inside)}"
            _never(report, time, reason, "give the branch less time")
        _first_message(report, branch, time)
    for _, again in timed[1:]:
        report.error("PV161", "a choice has one timeout branch", again.span, "keep the shortest")
    if timed and len(timed) == len(choice.branches):
        sentence = "this choice has no branch but the timeout"
        hint = "add the branch that is taken in time, or leave the choice out"
        report.error("PV162", sentence, timed[0][1].span, hint)
    elif timed:
        _nested(report, choice, timed[0][1])


def _branch(report: Report, branch: Branch, time: Duration) -> None:
    if branch.label != NAME:
        sentence = f"a branch with a time is called `timeout`, not `{branch.label}`"
        hint = f"write `timeout({time.written})`"
        report.error("PV160", sentence, head(branch.span, len(branch.label)), hint)
    if not is_time(time.seconds):
        sentence = f"`{time.written}` is no time above zero, and at most 366d"
        report.error("PV160", sentence, time.span, "write a time such as `timeout(5s)`")
    if branch.guard is not None:
        sentence = "a timeout branch has no guard: it must be open when all others are closed"
        report.error("PV163", sentence, branch.guard.span, "remove the `when`")


def _never(report: Report, time: Duration, reason: str, hint: str) -> None:
    sentence = f"this timeout branch can never be taken: {reason}"
    report.error("PV164", sentence, time.span, hint)


def _first_message(report: Report, branch: Branch, time: Duration) -> None:
    """The time of a branch's first message runs from the choice on, as the branch's own does."""
    first = branch.body.statements[0] if branch.body.statements else None
    if isinstance(first, Send):
        groups = (first.annotations, first.sender_annotations, first.receiver_annotations)
        for limit in (timeout(group) for group in groups):
            if limit and limit <= time.seconds:
                reason = f"its first message has to come within {duration(limit)} of the choice"
                _never(report, time, reason, "give the message more time than the branch")


def _nested(report: Report, choice: Choice, outer: Duration) -> None:
    """Choices that begin a branch are made together with this one, and their times begin with
    it; one must leave the other a moment at which it can be taken."""
    for branch in choice.branches:
        late = branch.timeout is not None
        for inner, chooser in _beginning(report, branch.body):
            same = chooser == choice.chooser
            times = [b.timeout for b in inner.branches if b.timeout is not None]
            for time in times[:1] if same else ():
                if late and time.seconds <= outer.seconds:
                    _never(report, outer, "the choice in it is over by then", _APART)
                elif not late and time.seconds >= outer.seconds:
                    reason = f"the choice around it is over after {duration(outer.seconds)}"
                    _never(report, time, reason, _APART)


_APART = "let a message come before the inner choice, or change the times"


def _beginning(report: Report, block: Block) -> Iterator[tuple[Choice, RoleRef]]:
    """The choices that a block begins with and who makes them, looked for through calls and
    loops."""
    seen = set[int]()
    waiting: list[tuple[Block, Roles]] = [(block, {})]
    while waiting:
        body, roles = waiting.pop()
        first = body.statements[0] if body.statements else None
        if first is None or id(body) in seen:
            continue
        seen.add(id(body))
        match first:
            case Choice():
                yield first, first.chooser.resolved(roles)
                waiting += [(branch.body, roles) for branch in first.branches]
            case Rec() | Loop():
                waiting.append((first.body, roles))
            case Call():
                inner = Unfolding(report).inside(first, roles)
                waiting += [inner] if inner else []
            case _:
                pass
