"""Selections inside `parallel` that would share a channel with another branch.

What the user writes there is looked at before (`checks.choices`); who has to be told of a choice is
known only now. Messages on one channel have one order, and the branches have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING

from .errors import Diagnostic, Span
from .flow import Flow
from .graph import Comm, Fork, successors
from .machine import Peer

if TYPE_CHECKING:
    from .knowledge import Selection


def crossings(flow: Flow, selections: Sequence[Selection]) -> Iterator[Diagnostic]:
    """An error for each two roles between which a selection of one branch would meet another branch."""
    if not selections:
        return
    told = set[tuple[str, str]]()
    for number in flow.forks.values():
        fork = flow.nodes[number]
        assert isinstance(fork, Fork)
        for left, right in combinations([_said(flow, e, fork.join) for e in fork.entries], 2):
            for one, other in _meeting(left, right):
                pair = (one.sender.role, one.receiver.role)
                if pair not in told:
                    told.add(pair)
                    span = _place(one, selections) or flow.protocol.name_span
                    yield _refusal(one, other, span)


def _said(flow: Flow, entry: int, join: int) -> dict[tuple[str, str], list[Comm]]:
    """The messages of one branch, by the roles that they are between."""
    found: dict[tuple[str, str], list[Comm]] = {}
    seen = {join}
    waiting = [entry]
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        node = flow.nodes[number]
        if isinstance(node, Comm):
            found.setdefault((node.sender.role, node.receiver.role), []).append(node)
        waiting.extend(successors(node))
    return found


Said = dict[tuple[str, str], list[Comm]]


def _meeting(left: Said, right: Said) -> Iterator[tuple[Comm, Comm]]:
    """Two messages of which the first is a selection, on what may be one channel."""
    for pair in left.keys() & right.keys():
        for one, other in product(left[pair], right[pair]):
            added = one.statement.selection or other.statement.selection
            if added and _meet(one.sender, other.sender) and _meet(one.receiver, other.receiver):
                yield (one, other) if one.statement.selection else (other, one)


def _meet(one: Peer, other: Peer) -> bool:
    """Whether two peers of one role may be the same instance."""
    spans = [_bounds(one), _bounds(other)]
    if None in spans:
        return True
    (low, high), (start, stop) = (span for span in spans if span is not None)
    return low < stop and start < high


def _bounds(peer: Peer) -> tuple[int, int] | None:
    if peer.relative or peer.register or not isinstance(peer.start, int):
        return None
    if peer.stop is None:
        return peer.start, peer.start + 1
    return (peer.start, peer.stop) if isinstance(peer.stop, int) else None


def _place(one: Comm, selections: Sequence[Selection]) -> Span | None:
    """Where the choice stands that a selection tells of."""
    said = (one.sender.role, one.receiver.role, one.statement.message.label.removeprefix("@"))
    return next((s.span for s in selections if _words(s) == said), None)


def _words(selection: Selection) -> tuple[str, str, str]:
    chooser, receiver = (name.split("[")[0] for name in (selection.chooser, selection.receiver))
    return chooser, receiver, selection.branch


def _refusal(one: Comm, other: Comm, span: Span) -> Diagnostic:
    sender, receiver = one.sender.role, one.receiver.role
    where = "too" if other.statement.selection else f"on line {other.statement.span.line}"
    return Diagnostic(
        "PV142",
        "error",
        f"`{sender}` has to tell `{receiver}` how this goes, and another parallel branch sends from "
        f"`{sender}` to `{receiver}` {where}",
        span,
        "messages on one channel have one order: put them in one branch, or let another role decide",
    )
