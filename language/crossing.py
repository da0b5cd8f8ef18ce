"""Selections inside `parallel` that would share a channel with another branch.

What the user writes there is looked at before (`checks.choices`); who has to be told of a choice is
known only now. Messages on one channel have one order, and the branches have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from .errors import Diagnostic, Span
from .flow import Flow
from .graph import Comm, Fork, successors
from .indices import may_meet
from .machine import Peer

if TYPE_CHECKING:
    from .knowledge import Selection


Lanes = dict[tuple[Peer, Peer], Comm]
"""A message for each two peers: which of several it is makes no difference."""


def crossings(flow: Flow, selections: Sequence[Selection]) -> Iterator[Diagnostic]:
    """An error for each two roles between which a selection of one branch would meet another branch."""
    if not selections:
        return
    told = set[tuple[str, str]]()
    for number in flow.forks.values():
        fork = flow.nodes[number]
        assert isinstance(fork, Fork)
        for left, right in combinations([_Said(flow, e, fork.join) for e in fork.entries], 2):
            for one, other in (*left.meets(right), *right.meets(left)):
                pair = (one.sender.role, one.receiver.role)
                if pair not in told:
                    told.add(pair)
                    span = _place(one, selections) or flow.protocol.name_span
                    yield _refusal(one, other, span)


class _Said:
    """What is said in one branch."""

    def __init__(self, flow: Flow, entry: int, join: int) -> None:
        self._added: Lanes = {}
        self._all: dict[tuple[str, str], Lanes] = {}
        seen = {join}
        waiting = [entry]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            node = flow.nodes[number]
            if isinstance(node, Comm):
                self._add(node)
            waiting.extend(successors(node))

    def _add(self, said: Comm) -> None:
        lane = (said.sender, said.receiver)
        if said.statement.selection:
            self._added.setdefault(lane, said)
        roles = (said.sender.role, said.receiver.role)
        self._all.setdefault(roles, {}).setdefault(lane, said)

    def meets(self, branch: _Said) -> Iterator[tuple[Comm, Comm]]:
        """A selection of this branch, and a message of another on what may be the same channel."""
        for one in self._added.values():
            for other in branch._all.get((one.sender.role, one.receiver.role), {}).values():
                if _meet(one.sender, other.sender) and _meet(one.receiver, other.receiver):
                    yield one, other
                    break


def _meet(one: Peer, other: Peer) -> bool:
    """Whether two peers of one role may be the same instance."""
    return may_meet(_bounds(one), _bounds(other))


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
