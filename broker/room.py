"""How full a stream is, before it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What a stream uses of what it may: bytes, or messages, whichever is the nearer to its limit.
    `allowed` is 0 where there is no limit."""

    unit: str
    used: int
    allowed: int

    @property
    def share(self) -> float:
        """From 0, empty, to 1, full."""
        return self.used / self.allowed if self.allowed else 0.0


def nearest(*rooms: Room) -> Room:
    """The one that is the fullest."""
    return max(rooms, key=lambda room: room.share)
