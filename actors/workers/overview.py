"""What an operator sees of durable sessions: all of them at a glance, and one in detail."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ...broker.contract import Broker, Record
from ...broker.errors import BadSubject, StreamRefused
from ...broker.subjects import parse
from ..durable import names
from ..durable.records import Cancelled, Done, Failed, Purged, Started, Taken, unpack_word
from ..errors import of
from .dead import DeadLetter, letters

State = Literal["dead", "waiting", "running", "failed", "cancelled", "done"]

STUCK: tuple[State, ...] = ("dead", "waiting", "running", "failed", "cancelled", "done")
"""In the order in which they are shown: first who needs help."""

ENDS: tuple[State, ...] = ("cancelled", "failed", "done")
"""Which of several ends counts: the last of these."""

AT_ONCE = 64
"""How many logs are asked for their last record together."""


@dataclass(slots=True)
class Unit:
    """A block of instances: who has taken it last and how often, and whether it is at its end."""

    role: str
    start: int
    stop: int
    worker: str = ""
    taken: int = 0
    since: float = 0.0
    done: bool = False


@dataclass(slots=True)
class Summary:
    """One session. Times are seconds since 1970; `touched` is when its log last grew.

    `reason` says why it is dead, has failed or was cancelled.
    """

    namespace: str
    protocol: str
    session: str
    started: Started
    began: float
    touched: float
    ended: float = 0.0
    reason: str = ""
    outcome: State = "running"
    units: dict[tuple[str, int], Unit] = field(default_factory=dict[tuple[str, int], Unit])
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])

    @property
    def place(self) -> names.Place:
        return names.Place(self.namespace, self.protocol, self.session)

    @property
    def is_over(self) -> bool:
        return self.outcome in ("failed", "cancelled", "done")

    @property
    def state(self) -> State:
        """`waiting`: no worker has taken some unit; `dead`: no worker could play one."""
        if self.is_over:
            return self.outcome
        if self.dead:
            return "dead"
        untaken = any(not unit.taken for unit in self.units.values())
        return "waiting" if untaken else "running"

    def hear(self, word: object, role: str, start: int, when: float) -> None:
        """Take in one word to the session, or fence of a unit."""
        match word:
            case Taken(worker=worker):
                unit = self.units[role, start]
                unit.worker, unit.since, unit.taken = worker, when, unit.taken + 1
            case Done(last=True) if (role, start) in self.units:
                self.units[role, start].done = True
                if all(unit.done for unit in self.units.values()):
                    self._end("done", "", when)
            case Failed(instance=instance, code=code, reason=reason):
                self._end("failed", f"{of(instance, reason)} [{code}]", when)
            case Cancelled(reason=reason):
                self._end("cancelled", reason, when)
            case _:
                pass

    def _end(self, outcome: State, reason: str, when: float) -> None:
        """As `handle.outcome`: what came to its end is done, though it was cancelled just before."""
        if not self.is_over or ENDS.index(outcome) > ENDS.index(self.outcome):
            self.outcome, self.reason, self.ended = outcome, reason, when


async def summaries(
    broker: Broker, namespace: str, *, ended: bool = True, session: str = "", protocol: str = ""
) -> list[Summary]:
    """The sessions of a namespace, or of one `protocol` of it, those that need help first, then
    those that were silent for the longest. Without `ended`, only those that are not over; or one
    `session` alone.

    Who has taken its units is told of one that is asked for by its name, or is not over. Nobody is
    needed for the dead units of one that is over, so that these are not told.
    """
    found = await _told(broker, namespace, session, protocol)
    for letter in await letters(broker, namespace, session or "*", protocol or "*"):
        unit = letter.assignment
        summary = found.get((unit.protocol, unit.session))
        if summary is not None and not summary.is_over:
            summary.dead.append(letter)
    chosen = [s for s in found.values() if ended or not s.is_over]
    shown = [s for s in chosen if session or not s.is_over]
    await _look(broker, names.fences_of_all(namespace, session or "*", protocol or "*"), shown)
    return sorted(chosen, key=lambda s: (STUCK.index(s.state), s.touched))


async def _told(
    broker: Broker, namespace: str, session: str, protocol: str
) -> dict[tuple[str, str], Summary]:
    """What the sessions' own words say: `Started`, `Done`, `Failed`, `Cancelled`."""
    found: dict[tuple[str, str], Summary] = {}
    try:
        pattern = names.words_of_all(namespace, protocol, session)
        async for record in broker.read(names.stream(namespace), pattern):
            _take_in(found, namespace, record)
    except StreamRefused:
        return {}
    return found


def _take_in(found: dict[tuple[str, str], Summary], namespace: str, record: Record) -> None:
    try:
        route = parse(record.subject.rpartition(".")[0])
        word = unpack_word(record.payload)
    except (BadSubject, msgspec.MsgspecError):
        return
    key = (route.protocol, route.session)
    when = record.time / 1e9
    if isinstance(word, Started):
        summary = Summary(namespace, *key, word, when, when)
        summary.units = {(r, start): Unit(r, start, stop) for r, start, stop in word.blocks}
        found.setdefault(key, summary)
    elif isinstance(word, Purged):
        found.pop(key, None)
    elif key in found:
        found[key].touched = when
        found[key].hear(word, route.sender, route.sender_index, when)


async def _look(broker: Broker, fences: str, chosen: list[Summary]) -> None:
    """Who has taken their units, and when their logs last grew."""
    if not chosen:
        return
    stream = chosen[0].place.stream
    known = {(s.protocol, s.session): s for s in chosen}
    async for record in broker.read(stream, fences):
        with suppress(BadSubject, msgspec.MsgspecError, KeyError):
            route = parse(record.subject.rpartition(".")[0])
            if route.index is not None and (route.protocol, route.session) in known:
                summary = known[route.protocol, route.session]
                word = unpack_word(record.payload)
                summary.hear(word, route.role, route.index, record.time / 1e9)
    for start in range(0, len(chosen), AT_ONCE):
        batch = chosen[start : start + AT_ONCE]
        lasts = await asyncio.gather(*(broker.last(stream, s.place.everything) for s in batch))
        for summary, last in zip(batch, lasts, strict=True):
            if last is not None:
                summary.touched = last.time / 1e9


async def history(broker: Broker, summary: Summary) -> list[Record]:
    """All records of a session."""
    stream = names.stream(summary.namespace)
    return [record async for record in broker.read(stream, summary.place.everything)]


def is_silent(summary: Summary, seconds: float, now: float | None = None) -> bool:
    """Whether nothing has happened in a session that is not over for so long."""
    return not summary.is_over and (now or time.time()) - summary.touched > seconds


def counts(found: Iterable[Summary]) -> dict[State, int]:
    """How many sessions are in each state, as far as there are some."""
    states = Counter(summary.state for summary in found)
    return {state: states[state] for state in STUCK if states[state]}
