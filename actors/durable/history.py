"""What the log of one session says, sorted by whom it concerns.

A session is read whole where one process plays all of it, or for one unit alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from ...broker.contract import Broker, Record
from ...broker.errors import FrameError
from ...broker.frame import Frame, Message, decode, is_reflected
from . import records
from .errors import LogDamaged, NoSuchSession, SessionPurged
from .names import NOBODY, OWN, Place
from .records import (
    Barred,
    Cancelled,
    Done,
    Failed,
    Purged,
    Started,
    Step,
    Taken,
    Tallied,
    Timed,
)

Channel = tuple[str, int | None, str, int]
"""Receiver, its index or None for all, sender, its index."""


class History:
    """Filled by `add`, record by record, in the order of their sequences.

    `frames` has every frame by its channel, with the time at which it was stored, in seconds since
    1970. `steps` are those of a unit, by its role and first instance.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.started: Started | None = None
        self.cancelled: Cancelled | None = None
        self.purged: Purged | None = None
        self.failed: Failed | None = None
        self.ended: dict[tuple[str, int], Tallied] = {}
        self.done: dict[tuple[str, int], float] = {}
        self.taken: dict[tuple[str, int], Taken] = {}
        self.frames: list[tuple[Channel, float, bytes]] = []
        self.steps: dict[tuple[str, int], list[Step]] = {}
        self.end = 0

    def add(self, record: Record) -> None:
        """Raises `LogDamaged` for a record that is none."""
        self.end = max(self.end, record.sequence)
        if is_reflected(record.payload):
            return
        _, _, role, index, _, sender, sender_index, last = record.subject.split(".")
        try:
            if last == OWN:
                unit = (sender, int(sender_index))
                self.steps.setdefault(unit, []).extend(records.unpack_steps(record.payload))
            elif role == NOBODY:
                self._word(sender, records.unpack_word(record.payload))
            elif sender == NOBODY:
                word = records.unpack_word(record.payload)
                if isinstance(word, Taken):
                    self.taken[role, int(index)] = word
            else:
                to = None if index == "all" else int(index)
                channel = (role, to, sender, int(sender_index))
                self.frames.append((channel, record.time / 1e9, record.payload))
        except (msgspec.MsgspecError, ValueError) as error:
            raise LogDamaged(record.subject, str(error)) from None

    def _word(self, role: str, word: records.Word) -> None:
        match word:
            case Started():
                self.started = self.started or word
            case Cancelled():
                self.cancelled = self.cancelled or word
            case Purged():
                self.purged = word
            case Failed():
                self.failed = self.failed or word
            case Done(ended=ended):
                self.ended.update({(role, index): tallied for index, tallied in ended.items()})
                if word.last and ended:
                    self.done[role, min(ended)] = word.time
            case Taken():
                pass

    def check(self) -> Started:
        """How it was started. Raises `NoSuchSession` and `SessionPurged`."""
        where = (self.place.protocol, self.place.session)
        if self.purged is not None:
            raise SessionPurged(*where)
        if self.started is None:
            raise NoSuchSession(*where)
        return self.started

    # --- what it came to -----------------------------------------------------------------

    def said(self, role: str, start: int, stop: int) -> dict[Channel, dict[int, Message]]:
        """Every message that these instances have sent, by channel and number.

        Raises `LogDamaged`.
        """
        found: dict[Channel, dict[int, Message]] = {}
        for channel, _, data in self.frames:
            if channel[2] == role and start <= channel[3] < stop:
                messages = frame_of(channel, data).messages
                found.setdefault(channel, {}).update({m.sequence: m for m in messages})
        return found

    def heard(self, role: str, start: int, stop: int) -> Iterable[tuple[Channel, float, bytes]]:
        """The frames sent to these instances, in the order they were stored."""
        for channel, time, data in self.frames:
            if channel[0] == role and (channel[1] is None or start <= channel[1] < stop):
                yield channel, time, data

    def barred(self, role: str, start: int) -> list[Barred]:
        return [s for s in self.steps.get((role, start), ()) if isinstance(s, Barred)]

    def steps_of(self, role: str, start: int) -> dict[int, dict[int, Step]]:
        """The steps of a unit, by instance and number."""
        found: dict[int, dict[int, Step]] = {}
        for step in self.steps.get((role, start), ()):
            if not step.number:
                continue
            found.setdefault(step.index, {}).setdefault(step.number, step)
        return found


def times_of(steps: Iterable[Step]) -> dict[int, dict[int, float]]:
    """When which instance took which step of the protocol, as far as that was measured."""
    found: dict[int, dict[int, float]] = {}
    for step in steps:
        if isinstance(step, Timed):
            found.setdefault(step.index, {}).setdefault(step.move, step.time)
    return found


def frame_of(channel: Channel, data: bytes) -> Frame:
    try:
        return decode(data)
    except FrameError as error:
        raise LogDamaged(f"the channel {channel}", error.reason) from None


async def read(broker: Broker, place: Place, pattern: str = "", start: int = 1) -> History:
    """The log of a whole session, or what matches `pattern`, from a sequence on."""
    history = History(place)
    async for record in broker.read(place.stream, pattern or place.everything, start=start):
        history.add(record)
    return history


async def read_unit(
    broker: Broker, place: Place, role: str, start: int, stop: int, *, new: bool = False
) -> History:
    """What concerns one unit: what it has heard, said and recorded, and the session's words.

    A `new` one, that nobody has taken before, has said and recorded nothing: its family's
    messages, among which its own would be, need not be read. The `end` is that of what it has heard:
    the rest is read beside that, and may have come later. Raises `NoSuchSession`.
    """
    patterns = [place.words, place.heard(role)]
    if not new:
        said = place.said(role, start if stop - start == 1 else None)
        patterns += [place.own(role, start), said]
    found = await asyncio.gather(*(_records(broker, place, pattern) for pattern in patterns))
    history = History(place)
    unique = {record.sequence: record for part in found for record in part}
    for _, record in sorted(unique.items()):
        history.add(record)
    history.check()
    history.end = max((record.sequence for record in found[1]), default=0)
    return history


async def _records(broker: Broker, place: Place, pattern: str) -> list[Record]:
    return [record async for record in broker.read(place.stream, pattern)]
