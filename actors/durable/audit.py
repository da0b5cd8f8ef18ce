"""A look at the whole log of a session: is every message there, once, and do the accounts fit?

What holds of every log: the messages of a channel are numbered from 1 without a gap and without a
second of any number; so are the steps of an instance; what a worker stored stands before the next
took the unit. What holds at the end: as many messages as the instances say they sent and heard, and
for each annotated message one `sent` entry in its sender's journal, with its charge and facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ...broker.contract import Broker, Record
from ...broker.frame import Message, decode
from ...effects.journal.entry import Entry
from ...effects.journal.history.reading import History as Journals
from . import records
from .names import NOBODY, OWN, Place
from .records import Done, Limited, Started, Taken, Tallied

FaultKind = Literal["missing", "doubled", "order", "stale", "unreadable", "count", "charge", "fact"]

SELECTION = "@"
"""What the labels of messages begin with that the compiler added."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that no log may have; `where` is a channel, a unit or an instance."""

    kind: FaultKind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Audit:
    """What was found. `takeovers` counts how often a unit was taken after the first time; `late`
    the messages that were stored after one that was sent later, which is no fault."""

    session: str
    faults: list[Fault] = field(default_factory=list[Fault])
    messages: int = 0
    steps: int = 0
    charged: int = 0
    facts: int = 0
    takeovers: int = 0
    late: int = 0
    is_over: bool = False

    def add(self, kind: FaultKind, where: str, what: str) -> None:
        self.faults.append(Fault(kind, where, what))


class _Numbers:
    """Numbers from 1, each once; those that came early are held until the gap is closed."""

    def __init__(self) -> None:
        self.last = 0
        self.early: set[int] = set()
        self.excused: set[int] = set()
        """Those that may be missing."""

    @property
    def missing(self) -> int | None:
        """The first that has to be there and is not."""
        expected = range(self.last + 1, max(self.early, default=0))
        return next((n for n in expected if n not in self.early | self.excused), None)

    def see(self, number: int) -> Literal["next", "early", "late", "doubled"]:
        if number <= self.last or number in self.early:
            return "doubled"
        if number != self.last + 1:
            self.early.add(number)
            return "early"
        late = bool(self.early)
        self.last = number
        while self.last + 1 in self.early:
            self.last += 1
            self.early.discard(self.last)
        return "late" if late else "next"


class Auditor:
    """Takes the records of one session in order; `finish` has the result."""

    def __init__(self, place: Place) -> None:
        self.found = Audit(place.session)
        self._channels: dict[str, _Numbers] = {}
        self._steps: dict[tuple[str, int], _Numbers] = {}
        self._taken: dict[tuple[str, int], int] = {}
        self._unit_of: dict[tuple[str, int], int] = {}
        self._started: Started | None = None
        self._ended: dict[tuple[str, int], Tallied] = {}
        self._sent: Counter[tuple[str, int]] = Counter()
        self._heard: Counter[tuple[str, int]] = Counter()
        self._to_all: list[tuple[str, str, int, int | None, int | None]] = []
        self._done: set[tuple[str, int]] = set()

    def add(self, record: Record) -> None:
        _, _, role, index, _, sender, sender_index, last = record.subject.split(".")
        try:
            if last == OWN:
                self._own(sender, record)
            elif role == NOBODY:
                self._word(record, sender, int(sender_index))
            elif sender == NOBODY:
                self._take(role, int(index), records.unpack_word(record.payload))
            else:
                self._frame(role, index, sender, int(sender_index), record)
        except (msgspec.MsgspecError, ValueError) as error:
            self.found.add("unreadable", record.subject, str(error))

    # --- kinds of records ----------------------------------------------------------------

    def _own(self, role: str, record: Record) -> None:
        for step in records.unpack_steps(record.payload):
            if step.number:
                numbers = self._steps.setdefault((role, step.index), _Numbers())
                self._see(numbers, step.number, f"{role}[{step.index}]", "step")
                self.found.steps += 1
                if isinstance(step, Limited):
                    numbers.excused.update(step.open)

    def _word(self, record: Record, sender: str, index: int) -> None:
        word = records.unpack_word(record.payload)
        if isinstance(word, Started):
            if self._started is not None:
                self.found.add("doubled", record.subject, "it was started twice")
            self._started = word
            for role, start, stop in word.blocks:
                self._unit_of.update({(role, i): start for i in range(start, stop)})
        elif isinstance(word, Done):
            for i, tallied in word.ended.items():
                if (sender, i) in self._ended:
                    self.found.add("doubled", f"{sender}[{i}]", "it came to its end twice")
                self._ended[sender, i] = tallied
            if word.last:
                self._done.add((sender, index))

    def _take(self, role: str, start: int, word: records.Word) -> None:
        if not isinstance(word, Taken) or word.left:
            return
        before = self._taken.get((role, start), 0)
        if word.incarnation != before + 1:
            self.found.add(
                "order", f"{role}[{start}]", f"taken as {word.incarnation} after {before}"
            )
        self.found.takeovers += before > 0
        self._taken[role, start] = word.incarnation

    def _frame(self, role: str, index: str, sender: str, number: int, record: Record) -> None:
        frame = decode(record.payload)
        where = f"{sender}[{number}] to {role}[{index}]"
        taken = self._taken.get((sender, self._unit_of.get((sender, number), number)), 0)
        if frame.incarnation != taken:
            what = f"worker {frame.incarnation} stored message after {taken} had taken over"
            self.found.add("stale", where, what)
        numbers = self._channels.setdefault(record.subject, _Numbers())
        for message in frame.messages:
            self._see(numbers, message.sequence, where, "message")
            self.found.messages += 1
            if not message.label.startswith(SELECTION):
                self._count(role, index, (sender, number), message)

    def _count(self, role: str, index: str, sender: tuple[str, int], message: Message) -> None:
        if index != "all":
            self._sent[sender] += 1
            self._heard[role, int(index)] += 1
            return
        parts = message.parts
        start = parts.start if parts is not None else None
        stop = parts.stop if parts is not None else None
        self._to_all.append((role, sender[0], sender[1], start, stop))

    def _see(self, numbers: _Numbers, number: int, where: str, what: str) -> None:
        seen = numbers.see(number)
        if seen == "doubled":
            self.found.add("doubled", where, f"{what} {number} stands there twice")
        self.found.late += seen == "late"

    # --- the end -----------------------------------------------------------------------

    def finish(self, journal: Iterable[Entry] = ()) -> Audit:
        """The result; `journal` has the entries of the session's journals."""
        for subject, numbers in self._channels.items():
            if numbers.early:
                what = f"message {numbers.last + 1} is missing"
                self.found.add("missing", subject, what)
        for (role, index), numbers in self._steps.items():
            if numbers.missing is not None:
                what = f"step {numbers.missing} is missing"
                self.found.add("missing", f"{role}[{index}]", what)
        if self._started is None:
            self.found.add("missing", self.found.session, "it was never started")
            return self.found
        units = {(role, start) for role, start, _ in self._started.blocks}
        self.found.is_over = units <= self._done
        if self.found.is_over:
            self._spread()
            self._compare()
            self._compare_journal(journal)
        return self.found

    def _spread(self) -> None:
        """Count what was said to a family for each of its instances."""
        assert self._started is not None
        sizes: Counter[str] = Counter()
        for role, _, end in self._started.blocks:
            sizes[role] = max(sizes[role], end)
        for role, sender, index, start, stop in self._to_all:
            for i in range(start or 0, sizes[role] if stop is None else stop):
                if (role, i) != (sender, index):
                    self._sent[sender, index] += 1
                    self._heard[role, i] += 1

    def _compare(self) -> None:
        for instance, tallied in self._ended.items():
            name = f"{instance[0]}[{instance[1]}]"
            for what, said, stored in (
                ("sent", tallied.sent, self._sent[instance]),
                ("received", tallied.received, self._heard[instance]),
            ):
                if said != stored:
                    text = f"it {what} {said} messages, and the log has {stored}"
                    self.found.add("count", name, text)

    def _compare_journal(self, journal: Iterable[Entry]) -> None:
        charged: Counter[tuple[str, int]] = Counter()
        facts: dict[tuple[str, int], list[str]] = {}
        void = set[tuple[str, int, int]]()
        entries = list(journal)
        for entry in entries:
            if entry.kind == "unsent":
                void.add((entry.role, entry.index, entry.count))
        holds = True
        for entry in entries:
            where = (entry.role, entry.index)
            if entry.kind == "sent":
                holds = (*where, entry.number) not in void
                charged[where] += entry.charge if holds else 0
            elif entry.kind == "fact" and holds:
                facts.setdefault(where, []).append(entry.name)
        for where, tallied in self._ended.items():
            self._compare_entries(where, tallied, charged[where], facts.get(where, []))

    def _compare_entries(
        self, where: tuple[str, int], tallied: Tallied, charged: int, facts: list[str]
    ) -> None:
        name = f"{where[0]}[{where[1]}]"
        if charged != tallied.charged:
            text = f"it was charged {tallied.charged}, and the journal has {charged}"
            self.found.add("charge", name, text)
        if sorted(facts) != sorted(tallied.facts):
            text = f"it has the facts {tallied.facts}, and the journal {facts}"
            self.found.add("fact", name, text)
        self.found.charged += charged
        self.found.facts += len(facts)


async def audit(broker: Broker, place: Place, journal: Journals | None = None) -> Audit:
    """Look through the log of a session, and its journals where they are given."""
    auditor = Auditor(place)
    async for record in broker.read(place.stream, place.everything):
        auditor.add(record)
    entries: list[Entry] = []
    if journal is not None:
        found = journal.entries(
            namespace=place.namespace, protocol=place.protocol, session=place.session
        )
        entries = sorted([e async for e in found], key=lambda e: (e.role, e.index, e.number))
    return auditor.finish(entries)
