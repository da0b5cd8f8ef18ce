"""Two lanes whose order is that of the stream: to one instance of a family, and to all of it.

A record that gets no answer, as its server was lost with it, is handed over again, and may then be
stored after one that was handed over later. On one lane the numbers of its messages tell; between
two nothing does. So what goes over one of them waits until what went over the other is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

HandOver = Callable[[str, bytes], asyncio.Future[int] | None]
"""`hand_over(subject, data)` puts a record into the log; None where its unit has failed."""


class Turnstile:
    """For one instance and one role that it speaks to both ways."""

    def __init__(self, hand_over: HandOver) -> None:
        self._hand_over = hand_over
        self._waiting: deque[tuple[bool, str, bytes]] = deque()
        self._to_all = False
        self._unstored = 0

    def add(self, to_all: bool, subject: str, data: bytes) -> None:
        self._waiting.append((to_all, subject, data))
        self._go()

    def _go(self) -> None:
        while self._waiting and (not self._unstored or self._waiting[0][0] == self._to_all):
            self._to_all, subject, data = self._waiting.popleft()
            future = self._hand_over(subject, data)
            if future is None:
                self._waiting.clear()
            else:
                self._unstored += 1
                future.add_done_callback(self._stored)

    def _stored(self, future: asyncio.Future[int]) -> None:
        self._unstored -= 1
        if not future.cancelled() and future.exception() is None:
            self._go()


class Turnstiles:
    """Those of a unit. Other lanes need none."""

    def __init__(self, hand_over: HandOver) -> None:
        self._straight = hand_over
        self._stiles: dict[tuple[int, str], Turnstile] = {}
        self._lanes: dict[str, tuple[Turnstile, bool]] = {}

    def keep(self, subject: str, sender: int, role: str, *, to_all: bool) -> None:
        """Let the lane of `subject`, from the instance `sender` to `role`, wait for its twin."""
        stile = self._stiles.setdefault((sender, role), Turnstile(self._straight))
        self._lanes[subject] = (stile, to_all)

    def hand_over(self, subject: str, data: bytes) -> None:
        lane = self._lanes.get(subject)
        if lane is None:
            self._straight(subject, data)
        else:
            lane[0].add(lane[1], subject, data)
