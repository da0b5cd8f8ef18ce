"""Journals as a join-semilattice: sets of facts, joined by union."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..identity import Identity
from .entry import Entry


@dataclass(frozen=True, slots=True)
class FactSet:
    """A replica's facts, each once, whatever order they came in.

    `join` is associative, commutative and idempotent, with the empty set as its unit; two
    replicas with the same facts are equal. A fact is identified by its hash.
    """

    _facts: frozenset[tuple[bytes, Entry]] = field(default_factory=frozenset[tuple[bytes, Entry]])

    @classmethod
    def of(cls, facts: Iterable[Entry]) -> FactSet:
        return cls(frozenset((fact.hash, fact) for fact in facts))

    def join(self, other: FactSet) -> FactSet:
        return FactSet(self._facts | other._facts)

    __or__ = join

    def __le__(self, other: FactSet) -> bool:
        """The order of the lattice: `other` knows everything that this one knows."""
        return self._facts <= other._facts

    def __contains__(self, fact: Entry) -> bool:
        return (fact.hash, fact) in self._facts

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Entry]:
        """In order of time, then of writer and number: the same for equal sets."""
        return iter(sorted((fact for _, fact in self._facts), key=_order))

    def names(self) -> tuple[str, ...]:
        return tuple(fact.name for fact in self)


def _order(fact: Entry) -> tuple[int, str, int, int, bytes]:
    return (fact.time, fact.role, fact.index, fact.number, fact.hash)


def view_of(identity: Identity, session: Sequence[Entry]) -> FactSet:
    """What one instance knows of the facts in a session's journals, all of them given."""
    reach = _reach(_place(identity), session)
    held = [e for e in session if e.number <= reach.get(_place(e.writer), 0)]
    void = {(_place(e.writer), e.count) for e in session if e.kind == "unsent"}
    facts: list[Entry] = []
    sent: dict[tuple[str, int], int] = {}
    for entry in held:
        place = _place(entry.writer)
        if entry.kind == "sent":
            sent[place] = entry.number
        elif entry.kind == "fact" and (place, sent.get(place, 0)) not in void:
            facts.append(entry)
    return FactSet.of(facts)


def _reach(own: tuple[str, int], session: Sequence[Entry]) -> dict[tuple[str, int], int]:
    """How far an instance sees into each journal: all of its own, and as far as it merged.

    A merge that stands in another's journal counts as far as it sees that journal.
    """
    reach = {own: max((e.number for e in session if _place(e.writer) == own), default=0)}
    merges = [e for e in session if e.kind == "merge"]
    grown = True
    while grown:
        grown = False
        for merge in merges:
            peer, seen = _peer_place(merge.peer), reach.get(_place(merge.writer), 0)
            if merge.number <= seen and merge.count > reach.get(peer, 0):
                reach[peer] = merge.count
                grown = True
    return reach


def _place(identity: Identity) -> tuple[str, int]:
    return (identity.role, identity.index or 0)


def _peer_place(peer: str) -> tuple[str, int]:
    role, _, index = peer.removesuffix("]").partition("[")
    return (role, int(index or 0))
