"""The local audit: the refusals of one process, newest last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .trace import Denial


class Audit:
    """Keeps the last `size` denials; `total` counts all of them."""

    def __init__(self, size: int = 10_000) -> None:
        self._entries: deque[Denial] = deque(maxlen=size)
        self.total = 0

    def add(self, denial: Denial) -> None:
        self._entries.append(denial)
        self.total += 1

    @property
    def last(self) -> Denial | None:
        return self._entries[-1] if self._entries else None

    def __iter__(self) -> Iterator[Denial]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
