"""Walking the chain of one writer's entries: where each belongs, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from . import entry as entries
from .entry import Entry


@dataclass(slots=True)
class Chain:
    """How far one writer's entries have been read. `resync` after a fault goes on behind it."""

    count: int
    hash: bytes

    @classmethod
    def of(cls, subject: str) -> Chain:
        return cls(0, entries.first_hash(subject))

    def fault(self, entry: Entry) -> str:
        """What is wrong with `entry` as the next one; empty if nothing is."""
        if entry.number > self.count + 1:
            return f"entries {self.count + 1} to {entry.number - 1} are missing"
        if entry.number <= self.count:
            return "it is out of order, or stands here twice"
        if entry.previous != self.hash:
            return "it is not chained to the entry before: that one, or this one, is another's"
        if entries.entry_hash(entry.writer, entry.previous, entry.fields()) != entry.hash:
            return "it was altered"
        return ""

    def follow(self, entry: Entry) -> None:
        self.count, self.hash = entry.number, entry.hash
