"""The branches of `parallel`: no two of them send on one channel."""

from __future__ import annotations

from ..indices import Channels
from ..tree import Parallel
from .report import Report, Scope, head
from .unfolding import First, Unfolding

Lane = dict[tuple[str, str], dict[Channels, First]]
"""By sender and receiver what a branch says between them: the first message of those that go over
the same channels, as it makes no difference which of several it is."""


def check_parallel(report: Report, unfolding: Unfolding, scope: Scope, parallel: Parallel) -> None:
    seen = list[Lane]()
    for block in parallel.branches:
        if not block.statements and not report.protocol.partial:
            span = head(parallel.span, len("parallel"))
            sentence = "a branch of this `parallel` is empty"
            report.error("PV155", sentence, span, "write `parallel { A -> B: M | C -> D: N }`")
        lane: Lane = {}
        for send in unfolding.sends(block, scope.references):
            for receiver in send.receivers:
                said = lane.setdefault((send.sender.role, receiver.role), {})
                said.setdefault(send.channels(receiver), send)
        for other in seen:
            _shared(report, other, lane)
        seen.append(lane)


def _shared(report: Report, left: Lane, right: Lane) -> None:
    for between in left.keys() & right.keys():
        others = right[between].items()
        for channels, one in left[between].items():
            clash = next((two for other, two in others if channels.may_meet(other)), None)
            if clash is not None:
                sentence = (
                    f"two parallel branches send from `{between[0]}` to `{between[1]}`, "
                    f"here and on line {one.send.span.line}"
                )
                hint = "messages on one channel have one order: put them in one branch"
                report.error("PV142", sentence, clash.send.span, hint)
                break
