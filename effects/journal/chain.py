"""Walking the chain of one writer's entries: where each belongs, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import entry as entries
from .entry import Entry, Link

FaultKind = Literal[
    "unreadable", "missing", "order", "altered", "truncated", "added", "headless", "head", "key"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at the place `number` of a chain."""

    kind: FaultKind
    number: int
    message: str


@dataclass(slots=True)
class Chain:
    """How far one writer's entries have been read."""

    count: int
    hash: bytes

    @classmethod
    def of(cls, subject: str) -> Chain:
        return cls(0, entries.first_hash(subject))

    @classmethod
    def joined_at(cls, entry: Entry) -> Chain:
        """A chain whose beginning is not looked at: `entry` is taken as its next."""
        return cls(entry.number - 1, entry.previous)

    def follow(self, link: Link) -> Fault | None:
        """Take an entry as the next one, and say what is wrong with it. After a fault the walk
        goes on behind it, so that each is found where it is."""
        place = self.count + 1
        if link.number == place and link.previous == self.hash and link.is_genuine:
            self.count, self.hash = link.last, link.hash
            return None
        fault = self._fault(link)
        if fault.kind == "missing":
            self.count, self.hash = link.last, link.hash
        elif fault.kind == "altered":
            self.count, self.hash = place + link.last - link.number, link.hash
        return fault

    def _fault(self, entry: Link) -> Fault:
        place = self.count + 1
        if not entry.is_genuine:
            return Fault("altered", place, "it was altered")
        if entry.number > place:
            missing = f"entries {place} to {entry.number - 1} are missing"
            return Fault("missing", entry.number, missing)
        if entry.number < place:
            return Fault("order", entry.number, "it is out of order, or stands here twice")
        return Fault("altered", place, "it, or the entry before it, belongs to another journal")
