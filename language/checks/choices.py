"""Choices, loops and parallel branches: who begins, and that nothing is ambiguous."""

from __future__ import annotations

from ..tree import Block, Branch, Choice, Index, Loop, Parallel, Rec, RoleRef, Send
from ..walk import blocks
from .beginnings import Beginning, alike
from .lanes import check_parallel
from .report import Report, Scope, head
from .unfolding import First, Unfolding


def check_choices(report: Report) -> None:
    unfolding = Unfolding(report)
    for scope in report.scopes:
        waiting: list[tuple[Block, dict[str, Rec]]] = [(scope.body, {})]
        while waiting:
            block, recs = waiting.pop()
            for statement in block.statements:
                inner = recs
                match statement:
                    case Send():
                        continue
                    case Choice():
                        _choice(report, unfolding, scope, statement, recs)
                    case Parallel():
                        check_parallel(report, unfolding, scope, statement)
                    case Loop(kind="count", count=Index(name="", offset=offset)) if offset < 0:
                        sentence = f"a loop cannot go round {offset} times"
                        span = head(statement.span, len("loop"))
                        report.error("PV141", sentence, span, "a count is 0 or more")
                    case Rec():
                        inner = {**recs, statement.label: statement}
                    case _:
                        pass
                waiting += [(block_, inner) for block_ in blocks(statement)]


def _choice(
    report: Report, unfolding: Unfolding, scope: Scope, choice: Choice, recs: dict[str, Rec]
) -> None:
    if not choice.branches and not report.protocol.partial:
        span = head(choice.span, len("choice"))
        report.error("PV137", "this choice has no branches", span, "write `label: { ... }`")
    _labels(report, choice)
    _empty(report, choice)
    chooser = choice.chooser.resolved(scope.references)
    if choice.chooser.role not in scope.roles:
        return
    begun = list[tuple[Branch, list[First]]]()
    for branch in choice.branches:
        begun.append((branch, []))
        for first in unfolding.firsts(branch.body, scope, recs):
            if first.sender != chooser:
                _begun_by_another(report, chooser, branch, first)
            else:
                begun[-1][1].append(first)
    for one, other in alike(begun):
        _same_beginning(report, one, other)


def _labels(report: Report, choice: Choice) -> None:
    seen: dict[str, Branch] = {}
    for branch in choice.branches:
        first = seen.setdefault(branch.label, branch)
        if first is not branch and branch.timeout is None:
            sentence = f"the label `{branch.label}` is used twice; first on line {first.span.line}"
            span = head(branch.span, len(branch.label))
            report.error("PV138", sentence, span, "give each branch a label of its own")


def _empty(report: Report, choice: Choice) -> None:
    """Two branches in which nothing happens go on to the same first message, or to none."""
    empty = [branch for branch in choice.branches if not branch.body.statements]
    for branch in () if report.protocol.partial else empty[1:]:
        sentence = (
            f"`{empty[0].label}` and `{branch.label}` are both empty: nobody could tell them apart"
        )
        hint = "begin each branch with a message of its own, or leave one out"
        report.error("PV140", sentence, head(branch.span, len(branch.label)), hint)


def _begun_by_another(report: Report, chooser: RoleRef, branch: Branch, first: First) -> None:
    sentence = (
        f"`{chooser}` chooses `{branch.label}`, but `{first.sender}` sends the first message there"
    )
    hint = f"begin the branch with a message from `{chooser}`"
    inside = branch.span.line <= first.send.span.line <= branch.span.end_line
    span = first.send.sender.span if inside else head(branch.span, len(branch.label))
    report.error("PV139", sentence, span, hint)


def _same_beginning(report: Report, one: Beginning, other: Beginning) -> None:
    first, second = one.branch, other.branch
    left, right = (str(b.first.receiver or "everyone") for b in (one, other))
    to = f"to `{left}`, which" if left == right else f"to `{left}` and to `{right}`; who is in both"
    sentence = (
        f"`{first.label}` and `{second.label}` both begin with `{one.first.send.message.label}` {to} "
        "could not tell them apart"
    )
    hint = "give the messages different labels, or send what is common before the choice"
    report.error("PV140", sentence, head(second.span, len(second.label)), hint)
