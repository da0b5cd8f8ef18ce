"""Where every instance of a session stands in its machine, as far as its log tells.

What an instance has sent is in the log. What it has received is not, but what has been sent to it
is; so a receive counts as done once its message is there. Instances are independent then:
each is led through its machine by its own sends, and by what lies in its queues.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...broker.contract import Record
from ...broker.errors import BadSubject, FrameError
from ...broker.frame import Message, decode
from ...broker.subjects import Route, parse
from ...language.machine import Machine
from ...language.monitor import Monitor
from ...language.projection import Projection
from ...language.table import Step, Table
from ..durable.names import LOG, NOBODY

Who = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Stand:
    """`state` is its machine's; `expected` are the steps possible there; `sent` and `received`
    count steps, selections included; `over` where it need do nothing more."""

    name: str
    state: int
    expected: tuple[str, ...]
    over: bool
    sent: int
    received: int


@dataclass(slots=True)
class Said:
    """One message, as its sender sent it; `index` None is all instances from `start` to `stop`."""

    role: str
    index: int | None
    label: str
    start: int
    stop: int

    def reaches(self, who: Who) -> bool:
        role, index = who
        if role != self.role:
            return False
        return self.start <= index < self.stop if self.index is None else self.index == index


def stands(projection: Projection, records: Iterable[Record]) -> list[Stand]:
    """One for each instance, in the order of the roles; `records` in the order of the log."""
    said = _said(projection, records)
    heard = _heard(projection, said)
    found: list[Stand] = []
    for role, machines in projection.machines.items():
        for machine in machines:
            table = Table(machine)
            for index in _instances(machine):
                monitor = Monitor(table, None if machine.start is None else index)
                walk = _Walk(monitor, said.get((role, index), []), heard.get((role, index), {}))
                walk.go()
                found.append(
                    Stand(
                        monitor.name, monitor.state.number, monitor.expected(),
                        monitor.is_final and not walk.out, walk.sent, walk.received,
                    )
                )  # fmt: skip
    return found


class _Walk:
    """One instance on its way through its machine."""

    def __init__(self, monitor: Monitor, said: list[Said], heard: Mapping[Who, deque[str]]) -> None:
        self.monitor = monitor
        self.out = deque(said)
        self.heard = heard
        self.sent = 0
        self.received = 0

    def go(self) -> None:
        while self._send() or self._receive():
            pass

    def _send(self) -> bool:
        if not self.out:
            return False
        first = self.out[0]
        for step in self.monitor.sends():
            if step.label != first.label or not self._meant(step, first):
                continue
            self._depart(step)
            self.monitor.advance(step)
            self.sent += 1
            return True
        return False

    def _meant(self, step: Step, said: Said) -> bool:
        if step.peer_role != said.role:
            return False
        if said.index is None:
            return step.collective
        return said.index in step.partners(self.monitor.role, self.monitor.own)

    def _depart(self, step: Step) -> None:
        """A collective to a few instances travels as a message to each."""
        first = self.out.popleft()
        if not step.collective or first.index is None:
            return
        left = len(step.partners(self.monitor.role, self.monitor.own)) - 1
        while left and self.out and self.out[0].label == step.label:
            self.out.popleft()
            left -= 1

    def _receive(self) -> bool:
        monitor = self.monitor
        for step in monitor.receives():
            partners = [(step.peer_role, i) for i in step.partners(monitor.role, monitor.own)]
            if all(self._head(who) == step.label for who in partners):
                for who in partners:
                    self.heard[who].popleft()
                monitor.advance(step)
                self.received += 1
                return True
        return False

    def _head(self, who: Who) -> str:
        queue = self.heard.get(who)
        return queue[0] if queue else ""


def _instances(machine: Machine) -> range:
    """The instances of a class; all bounds are numbers once counts are bound."""
    if not isinstance(machine.start, int) or not isinstance(machine.stop, int):
        return range(1)
    return range(machine.start, machine.stop)


def _heard(
    projection: Projection, said: Mapping[Who, list[Said]]
) -> dict[Who, dict[Who, deque[str]]]:
    """The labels in each instance's queues, by sender, in the order in which they were sent."""
    found: dict[Who, dict[Who, deque[str]]] = {}
    everyone = {
        role: [i for machine in machines for i in _instances(machine)]
        for role, machines in projection.machines.items()
    }
    for sender, messages in said.items():
        for message in messages:
            single = [] if message.index is None else [message.index]
            targets = single or everyone.get(message.role, [])
            for index in targets:
                target = (message.role, index)
                if target != sender and message.reaches(target):
                    queues = found.setdefault(target, {})
                    queues.setdefault(sender, deque()).append(message.label)
    return found


def _said(projection: Projection, records: Iterable[Record]) -> dict[Who, list[Said]]:
    """What each instance has sent, each message once."""
    found: dict[Who, list[Said]] = {}
    numbers: dict[str, int] = {}
    for record in records:
        for route, message in _messages(record):
            if message.sequence <= numbers.get(record.subject, 0):
                continue
            numbers[record.subject] = message.sequence
            size = projection.sizes.get(route.role)
            parts = message.parts
            start = parts.start if parts is not None and parts.start is not None else 0
            stop = size if isinstance(size, int) else 1
            if parts is not None and parts.stop is not None:
                stop = parts.stop
            found.setdefault((route.sender, route.sender_index), []).append(
                Said(route.role, route.index, message.label, start, stop)
            )
    return found


def _messages(record: Record) -> Iterator[tuple[Route, Message]]:
    """The messages in a record of the session's log, if it is a frame."""
    live, _, kind = record.subject.rpartition(".")
    if kind != LOG:
        return
    try:
        route = parse(live)
        if NOBODY in (route.role, route.sender):
            return
        frame = decode(record.payload)
    except (BadSubject, FrameError):
        return
    for message in frame.messages:
        yield route, message
