"""Every message of a simulated session, held against the protocol and against each other.

The ledger has machines of its own, projected from the protocol, and believes no runtime.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ...language.machine import Action
from ...language.monitor import Monitor
from ...language.projection import Projection
from ...language.table import Step, Table
from ..events import MessageReceived, MessageSent

Instance = tuple[str, int]
Word = tuple[str, str, str, int]
"""What an instance did: sent or received, the other side, the label, the step."""


class Broken(Exception):
    """Internal: `rule` does not hold."""

    def __init__(self, rule: str, details: str) -> None:
        super().__init__(details)
        self.rule = rule
        self.details = details


class Book:
    """One instance: where it stands, and what it has done. `before` is what it has still to do again,
    when it is played again."""

    __slots__ = ("before", "gathered", "monitor", "words")

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.words: list[Word] = []
        self.before: deque[Word] = deque()
        self.gathered: set[int] = set()


class Ledger:
    """One session. Its methods raise `Broken`. `facts` are those that the protocol asks for with
    the messages that were sent, by instance; where it leaves that to others, those that were said
    to be recorded with them. `recorded` says that it is kept in a log, which settles who was heard
    first; otherwise a role that is started again may hear those whom it may in another order."""

    def __init__(
        self,
        projection: Projection,
        facts_of: Mapping[Action, tuple[str, ...]],
        *,
        recorded: bool,
    ) -> None:
        self.books: dict[str, Book] = {}
        self.facts: dict[str, list[str]] = {}
        self._names: dict[Instance, str] = {}
        self._places: dict[str, Instance] = {}
        self._channels: dict[tuple[str, str], deque[str]] = {}
        self._facts_of = facts_of
        self._recorded = recorded
        families = {role for role, size in projection.sizes.items() if size is not None}
        for role, machines in projection.machines.items():
            for machine in machines:
                table = Table(machine)
                start = machine.start if isinstance(machine.start, int) else 0
                stop = machine.stop if isinstance(machine.stop, int) else 1
                for index in range(start, stop):
                    name = f"{role}[{index}]" if role in families else role
                    self._names[role, index] = name
                    self._places[name] = (role, index)
                    monitor = Monitor(table, index if role in families else None)
                    self.books[name] = Book(monitor)

    # --- what happens --------------------------------------------------------------------

    def sent(self, event: MessageSent) -> bool:
        """Whether that is new, and no replay."""
        book = self.books[event.sender]
        if self._is_repeated(book, ("sent", event.receiver, event.label, event.step)):
            return False
        role, index = self._places[event.sender]
        step = self._step_sent(book.monitor, event)
        for partner in step.partners(role, index):
            to = self._names[step.peer_role, partner]
            if (step.peer_role, partner) != (role, index):
                channel = self._channels.setdefault((event.sender, to), deque())
                channel.append(event.label)
        book.monitor.advance(step)
        self.facts.setdefault(event.sender, []).extend(self._facts_of.get(step.action, event.facts))
        return True

    def _step_sent(self, monitor: Monitor, event: MessageSent) -> Step:
        fitting = [
            step
            for step in monitor.sends()
            if step.label == event.label
            and step.action.step == event.step
            and self._receiver(monitor, step) == event.receiver
        ]
        if not fitting:
            raise Broken(
                "monitors agree",
                f"{event.sender} sent {event.receiver} {event.label}, where the protocol has "
                f"{', '.join(monitor.expected()) or 'nothing'}",
            )
        return fitting[0]

    def _receiver(self, monitor: Monitor, step: Step) -> str:
        if step.collective:
            return str(step.action.peer)
        return self._names[step.peer_role, step.partners(monitor.role, monitor.own)[0]]

    def received(self, event: MessageReceived) -> bool:
        """Whether that is new, and no replay."""
        book = self.books[event.receiver]
        if self._is_repeated(book, ("received", event.sender, event.label, event.step)):
            return False
        self._arrive(event)
        role, index = self._places[event.sender]
        monitor = book.monitor
        step = monitor.receiving(role, index, event.label)
        if step is None or step.action.step != event.step:
            raise Broken(
                "monitors agree",
                f"{event.receiver} received {event.label} from {event.sender}, where the protocol "
                f"has {', '.join(monitor.expected()) or 'nothing'}",
            )
        if step.collective:
            book.gathered.add(index)
            if book.gathered != set(step.partners(monitor.role, monitor.own)):
                return True
            book.gathered.clear()
        monitor.advance(step)
        return True

    def _arrive(self, event: MessageReceived) -> None:
        channel = self._channels.get((event.sender, event.receiver))
        if not channel:
            raise Broken(
                "nothing twice",
                f"{event.receiver} received {event.label} from {event.sender}, who has sent "
                "nothing that it has not received",
            )
        if channel[0] != event.label:
            raise Broken(
                "in order",
                f"{event.receiver} received {event.label} from {event.sender}, who sent "
                f"{channel[0]} before",
            )
        channel.popleft()

    # --- played again ----------------------------------------------------------------------

    def restarted(self, role: str) -> None:
        """The instances of `role` are played from their beginning."""
        for name, (owner, _) in self._places.items():
            if owner == role:
                self.books[name].before = deque(self.books[name].words)

    def _is_repeated(self, book: Book, word: Word) -> bool:
        if self._recorded and book.before and book.before[0] != word:
            raise Broken(
                "a replay repeats",
                f"{book.monitor.name} {_told(book.before[0])} before its crash, and "
                f"{_told(word)} when it was played again",
            )
        if word in book.before:
            book.before.remove(word)
            return True
        book.words.append(word)
        return False

    # --- the end ---------------------------------------------------------------------------

    def completed(self) -> None:
        """The session has come to its end: everything has arrived, and everybody is done."""
        for name, book in self.books.items():
            if not book.monitor.is_final:
                expected = ", ".join(book.monitor.expected())
                raise Broken("all come to the end", f"{name} still has {expected} to do")
        for (sender, receiver), channel in self._channels.items():
            if channel:
                raise Broken(
                    "nothing lost", f"{receiver} never received {channel[0]} from {sender}"
                )

    def waiting(self) -> str:
        """Who is not at its end, and what it would do next."""
        left = [
            f"{name} ({', '.join(book.monitor.expected())})"
            for name, book in self.books.items()
            if not book.monitor.is_final
        ]
        return "; ".join(left[:8]) or "all have done their parts"


def _told(word: Word) -> str:
    did, other, label, _ = word
    return f"{did} {label} {'to' if did == 'sent' else 'from'} {other}"
