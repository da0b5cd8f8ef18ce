"""Selections inside `parallel` that would share a channel with another branch.

What the user writes there is looked at before (`checks.choices`); who has to be told of a choice is
known only now. Messages on one channel have one order, and the branches have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from .errors import Diagnostic, Span
from .flow import Flow
from .graph import Comm, Count, Fork, between
from .indices import Channels, Stretch
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
    rounds = _rounds(flow)
    for number in flow.forks.values():
        fork = flow.nodes[number]
        assert isinstance(fork, Fork)
        for left, right in combinations(
            [_Said(flow, e, fork.join, rounds) for e in fork.entries], 2
        ):
            for one, other in (*left.meets(right), *right.meets(left)):
                pair = (one.sender.role, one.receiver.role)
                if pair not in told:
                    told.add(pair)
                    span = _place(one, selections) or flow.protocol.name_span
                    yield _refusal(one, other, span)


class _Said:
    """What is said in one branch."""

    def __init__(self, flow: Flow, entry: int, join: int, rounds: Mapping[int, Stretch]) -> None:
        self._rounds = rounds
        self._added: Lanes = {}
        self._all: dict[tuple[str, str], Lanes] = {}
        for number in between(flow.nodes, entry, join):
            node = flow.nodes[number]
            if isinstance(node, Comm):
                self._add(node)

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
                if self._channels(one).may_meet(branch._channels(other)):
                    yield one, other
                    break

    def _channels(self, said: Comm) -> Channels:
        sender, receiver = said.sender, said.receiver
        ends = self._stretch(sender), self._stretch(receiver)
        return Channels(*ends, _shift(sender, receiver))

    def _stretch(self, peer: Peer) -> Stretch | None:
        """The instances that a peer surely is among."""
        if peer.relative or not isinstance(peer.start, int):
            return None
        if peer.register:
            rounds = self._rounds.get(peer.register)
            return rounds and (rounds[0] + peer.start, rounds[1] + peer.start)
        if peer.stop is None:
            return peer.start, peer.start + 1
        return (peer.start, peer.stop) if isinstance(peer.stop, int) else None


def _shift(sender: Peer, receiver: Peer) -> int | None:
    """How far after its sender a receiver is, if that is always the same."""
    one, other = sender.start, receiver.start
    alone = sender.stop is None and receiver.stop is None
    if not alone or not (isinstance(one, int) and isinstance(other, int)):
        return None
    alike = (sender.register, sender.relative) == (receiver.register, receiver.relative)
    return other - one if alike else None


def _rounds(flow: Flow) -> dict[int, Stretch]:
    """For each `foreach` with known bounds its indices, by the register that counts them."""
    return {
        node.loop: (node.first, node.first + node.count)
        for node in flow.nodes
        if isinstance(node, Count) and isinstance(node.first, int) and isinstance(node.count, int)
    }


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
