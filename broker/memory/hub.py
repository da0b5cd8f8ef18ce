"""What the connections of one process to one `memory://name` share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from ..contract import LEASE, Level
from ..errors import StreamRefused
from ..subjects import check_pattern, check_subject, joined, overlap, token
from .log import Log
from .queue import Queue
from .routes import Routes


class Target(Protocol):
    """Who takes what is published: a subscription or a stream."""

    def accept(self, subject: str, payload: bytes) -> None: ...


class Hub:
    """Subscriptions, streams, queues and counters. It lives while a connection is open."""

    def __init__(self, name: str, clock: Callable[[], int] = time.time_ns) -> None:
        self.name = name
        self.connections = 0
        self.routes: Routes[Target] = Routes()
        self.streams: dict[str, Log] = {}
        self.queues: dict[str, Queue] = {}
        self.levels: dict[str, Level] = {}
        self._clock = clock

    def publish(self, subject: str, payload: bytes) -> None:
        """As the server does it: to each subscription, and to the stream that captures it."""
        targets = self.routes.cached(subject)
        if targets is None:
            check_subject(subject)
            targets = self.routes.find(subject)
        for target in targets:
            target.accept(subject, payload)

    def append(
        self, log: Log, subject: str, payload: bytes, message_id: str | None, expected: int | None
    ) -> int:
        """Store, and deliver what is new to the live subscriptions too."""
        sequence, new = log.append(subject, payload, message_id, expected)
        if new:
            targets = self.routes.cached(subject)
            for target in self.routes.find(subject) if targets is None else targets:
                if target is not log:
                    target.accept(subject, payload)
        return sequence

    def ensure_stream(self, name: str, patterns: list[str]) -> None:
        token(name)
        for pattern in patterns:
            check_pattern(pattern)
        for other in self.streams.values():
            for taken in other.patterns:
                if other.name != name and any(overlap(taken, p) for p in patterns):
                    raise StreamRefused(
                        name,
                        f"stream {other.name} captures {taken} already",
                        hint="one subject belongs to one stream: choose other subjects",
                    )
        log = self.streams.get(name) or Log(name, self._clock)
        self.streams[name] = log
        for old in log.patterns:
            self.routes.remove(old, log)
        log.patterns = joined([*log.patterns, *patterns])
        for new in log.patterns:
            self.routes.add(new, log)

    def stream(self, name: str) -> Log:
        if name not in self.streams:
            raise StreamRefused(name, "there is no such stream", hint="call ensure_stream first")
        return self.streams[name]

    def seconds(self) -> float:
        """Since 1970."""
        return self._clock() / 1e9

    def write(self, counter: str, level: Level) -> Level:
        self.levels[counter] = replace(level, revision=level.revision + 1)
        return self.levels[counter]

    def ensure_queue(self, name: str, lease: float | None) -> None:
        queue = self.queues.setdefault(token(name), Queue(LEASE, self._clock))
        queue.lease = queue.lease if lease is None else lease

    def queue(self, name: str) -> Queue:
        if name not in self.queues:
            raise StreamRefused(name, "there is no such queue", hint="call ensure_queue first")
        return self.queues[name]
