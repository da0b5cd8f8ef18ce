"""Choices, loops and parallel branches: who begins, and that nothing is ambiguous."""

from __future__ import annotations

from ..indices import may_meet
from ..tree import All, At, Block, Branch, Choice, Index, Loop, Parallel, Range, Rec, RoleRef, Send
from ..walk import blocks
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
                        _parallel(report, unfolding, scope, statement)
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
    taken: dict[tuple[RoleRef | None, str], Branch] = {}
    for branch in choice.branches:
        own: dict[tuple[RoleRef | None, str], Branch] = {}
        for first in unfolding.firsts(branch.body, scope, recs):
            if first.sender != chooser:
                _begun_by_another(report, chooser, branch, first)
            else:
                own[(first.receiver, first.send.message.label)] = branch
        for key in own:
            if key in taken:
                _same_beginning(report, taken[key], branch, key)
        taken = {**own, **taken}


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


def _same_beginning(
    report: Report, first: Branch, second: Branch, key: tuple[RoleRef | None, str]
) -> None:
    receiver = str(key[0]) if key[0] is not None else "everyone"
    sentence = (
        f"`{first.label}` and `{second.label}` both begin with `{key[1]}` to `{receiver}`, "
        "which could not tell them apart"
    )
    hint = "give the messages different labels, or send what is common before the choice"
    report.error("PV140", sentence, head(second.span, len(second.label)), hint)


def _parallel(report: Report, unfolding: Unfolding, scope: Scope, parallel: Parallel) -> None:
    seen: list[dict[tuple[str, str], list[First]]] = []
    for lane in parallel.branches:
        if not lane.statements and not report.protocol.partial:
            span = head(parallel.span, len("parallel"))
            sentence = "a branch of this `parallel` is empty"
            report.error("PV155", sentence, span, "write `parallel { A -> B: M | C -> D: N }`")
        channels: dict[tuple[str, str], list[First]] = {}
        for send in unfolding.sends(lane, scope.references):
            for receiver in _receivers(send, scope):
                channels.setdefault((send.sender.role, receiver), []).append(send)
        for other in seen:
            _shared(report, other, channels)
        seen.append(channels)


def _receivers(send: First, scope: Scope) -> list[str]:
    if send.receiver is not None:
        return [send.receiver.role]
    # One instance says it to others of its family where these are roles of a sub-protocol.
    own = send.sender.role
    return [name for name, role in scope.roles.items() if name != own or role.is_family]


def _shared(
    report: Report,
    left: dict[tuple[str, str], list[First]],
    right: dict[tuple[str, str], list[First]],
) -> None:
    for channel in left.keys() & right.keys():
        others = _lanes(right[channel])
        for one in _lanes(left[channel]):
            clash = next((two for two in others if _overlap(one, two)), None)
            if clash is not None:
                sentence = (
                    f"two parallel branches send from `{channel[0]}` to `{channel[1]}`, "
                    f"here and on line {one.send.span.line}"
                )
                hint = "messages on one channel have one order: put them in one branch"
                report.error("PV142", sentence, clash.send.span, hint)
                break


def _lanes(sends: list[First]) -> list[First]:
    """The first message between each two spans of instances: which of several it is makes no difference."""
    found: dict[object, First] = {}
    for send in sends:
        receiver = None if send.receiver is None else _bounds(send.receiver)
        found.setdefault((_bounds(send.sender), receiver), send)
    return list(found.values())


def _overlap(one: First, two: First) -> bool:
    """Whether two messages between the same roles can be between the same instances."""
    return may_meet(_bounds(one.sender), _bounds(two.sender)) and (
        one.receiver is None
        or two.receiver is None
        or may_meet(_bounds(one.receiver), _bounds(two.receiver))
    )


def _bounds(ref: RoleRef) -> tuple[int, int] | None:
    """The instances that a reference surely stays within, if they are numbers."""
    match ref.selector:
        case At(index=Index(name="", offset=offset)):
            return offset, offset + 1
        case Range(start=Index(name="", offset=start), stop=Index(name="", offset=stop)):
            return start, stop
        case All() | _:
            return None
