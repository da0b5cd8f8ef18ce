"""One of the two machines, prepared: what kind each state is and what it can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Literal

from ..system import Automaton, Step

Kind = Literal["end", "send", "receive", "odd"]
Edge = tuple[str, str, int]
"""Peer, label, target."""


class Side:
    """`edges[state]` by peer and then by label. A state is odd when it mixes sends and receives,
    could both end and go on, or can do neither."""

    def __init__(self, automaton: Automaton) -> None:
        self.kinds = [_kind(automaton, state) for state in range(len(automaton.edges))]
        self.edges = [_by_peer(leaving) for leaving in automaton.edges]
        self.steps = automaton.edges
        self.finals = frozenset(automaton.finals)
        self._sends = [[e for e in _split(leaving, True)] for leaving in automaton.edges]
        self._receives = [[e for e in _split(leaving, False)] for leaving in automaton.edges]
        self.runs_without = cache(self._runs_without)
        self.reaches = cache(self._reaches)
        self.commutes = cache(self._commutes)

    def _runs_without(self, sends: bool, peers: frozenset[str]) -> frozenset[int]:
        """The states from which there is an endless run of only sends (or only receives), none of
        them with one of `peers`."""
        table = self._sends if sends else self._receives
        return _endless(table, lambda peer: peer not in peers)

    def _reaches(self, sends: bool, peer: str) -> frozenset[int]:
        """The states from which a send to (or receive from) `peer` can be reached."""
        table = self._sends if sends else self._receives
        goals = [s for s, leaving in enumerate(table) if any(e[0] == peer for e in leaving)]
        before: list[list[int]] = [[] for _ in self.edges]
        for state, edges in enumerate(zip(self._sends, self._receives, strict=True)):
            for _, _, target in (*edges[0], *edges[1]):
                before[target].append(state)
        return frozenset(_closed(goals, lambda state: before[state]))

    def _commutes(self, state: int, peer: str, label: str) -> bool:
        """Whether it does not matter that this step is taken before those with other peers:
        each of them leads to the same state before it and after it."""
        target = self.edges[state][peer][label]
        return all(
            self.edges[target].get(other, {}).get(name, -1)
            == self.edges[there].get(peer, {}).get(label, -2)
            for other, labels in self.edges[state].items()
            if other != peer
            for name, there in labels.items()
        )

    def leaving(self, state: int) -> Iterator[Edge]:
        """The edges of a state."""
        for peer, labels in self.edges[state].items():
            for label, target in labels.items():
                yield peer, label, target


def _kind(automaton: Automaton, state: int) -> Kind:
    kinds = {step.sends for step in automaton.edges[state]}
    if (state in automaton.finals) == bool(kinds) or len(kinds) > 1:
        return "odd"
    if not kinds:
        return "end"
    return "send" if kinds.pop() else "receive"


def _by_peer(leaving: dict[Step, int]) -> dict[str, dict[str, int]]:
    result: dict[str, dict[str, int]] = {}
    for step, target in leaving.items():
        result.setdefault(step.peer, {})[step.label] = target
    return result


def _split(leaving: dict[Step, int], sends: bool) -> Iterator[Edge]:
    return ((s.peer, s.label, target) for s, target in leaving.items() if s.sends == sends)


def _closed(start: Iterable[int], following: Callable[[int], Iterable[int]]) -> set[int]:
    found = set(start)
    waiting = list(found)
    while waiting:
        for target in following(waiting.pop()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def _endless(table: list[list[Edge]], allowed: Callable[[str], bool]) -> frozenset[int]:
    """What is left when states without an allowed edge to what is left are taken away."""
    before: list[list[int]] = [[] for _ in table]
    degree = [0] * len(table)
    for state, leaving in enumerate(table):
        for peer, _, target in leaving:
            if allowed(peer):
                before[target].append(state)
                degree[state] += 1
    gone = [state for state, count in enumerate(degree) if not count]
    left = set(range(len(table))).difference(gone)
    while gone:
        for state in before[gone.pop()]:
            degree[state] -= 1
            if not degree[state]:
                left.discard(state)
                gone.append(state)
    return frozenset(left)
