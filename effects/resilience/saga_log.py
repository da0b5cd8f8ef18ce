"""The durable log of sagas: a stream, one subject for each, fenced by its last sequence."""

from __future__ import annotations

from typing import Any

from ...broker import subjects
from ...broker.contract import Broker, Record
from ...broker.errors import FrameError, PayloadTooLarge, WrongSequence
from ...broker.payload import pack, unpack
from .errors import SagaExists, SagaLogBroken, SagaTaken
from .finished import finished
from .progress import Entry, Kind, Progress
from .saga import Step, Visit

STREAM = "COMPENSATION"
# Five names and three: a mailbox has four, a message seven.
SUBJECTS = ["compensation.log.*.*.*", "compensation.floor.*"]

FLOOR_STEP = 256
"""A new floor is recorded when it is this far above the last one."""

_ROOM = 1024  # bytes of a payload that are ours


def subject_of(namespace: str, saga: str, id: str) -> str:
    names = (subjects.namespace_token(namespace), subjects.token(saga), subjects.token(id))
    return ".".join(("compensation.log", *names))


class SagaLog:
    """One saga's log in the hands of the one run that goes on with it, `owner`."""

    def __init__(self, broker: Broker, namespace: str, progress: Progress, owner: str) -> None:
        self.progress = progress
        self._broker = broker
        self._subject = subject_of(namespace, progress.saga, progress.id)
        self._owner = owner

    async def add(self, kind: Kind, step: str = "", value: Any = None) -> None:
        """Append and wait until it is stored, whoever is cancelled meanwhile.

        Raises `SagaTaken` if somebody else has written, and the broker's errors: the saga is
        then open as far as it was recorded.
        """
        entry = Entry(self.progress.count, kind, self._owner, step, value)
        await finished(self._append(entry))

    async def _append(self, entry: Entry) -> None:
        sequence = await self._stored(entry)
        self.progress.apply(entry, sequence)

    async def _stored(self, entry: Entry) -> int:
        payload = entry.pack()
        try:
            return await self._broker.append(
                STREAM,
                self._subject,
                payload,
                message_id=f"{self._subject}.{entry.owner}.{entry.number}",
                expected=self.progress.sequence,
            )
        except WrongSequence:
            # Perhaps it is our own, stored long ago, and only the answer was lost.
            last = await self._broker.last(STREAM, self._subject)
            if last is not None and last.payload == payload:
                return last.sequence
            error = SagaExists if entry.kind == "begun" else SagaTaken
            raise error(self.progress.saga, self.progress.id) from None

    def recordable(self, result: Any) -> Any:
        """`result` as it will stand in the log. Raises `NotPackable` or `PayloadTooLarge`."""
        data = pack(result)
        limit = self._broker.max_payload - _ROOM
        if len(data) > limit:
            raise PayloadTooLarge(len(data), limit)
        return unpack(data)

    def visit(self, step: Step, *, undo: bool = False) -> Visit:
        progress = self.progress
        key = f"{self._subject}.{step.name}.do"
        return Visit(
            progress.saga,
            progress.id,
            step.name,
            f"{self._subject}.{step.name}.undo" if undo else key,
            progress.given,
            dict(progress.results),
            undoes=key if undo else "",
            done=step.name in progress.results,
        )


class SagaLogs:
    """All logs of a namespace, read back."""

    def __init__(self, broker: Broker, namespace: str) -> None:
        self._broker = broker
        self._namespace = subjects.namespace_token(namespace)
        self._ready = False

    async def prepare(self) -> None:
        """Create the stream, once."""
        if not self._ready:
            await self._broker.ensure_stream(STREAM, SUBJECTS)
            self._ready = True

    async def one(self, saga: str, id: str) -> Progress | None:
        await self.prepare()
        progress = Progress(saga, id)
        subject = subject_of(self._namespace, saga, id)
        async for record in self._broker.read(STREAM, subject):
            progress.read(record)
        return progress if progress.count else None

    async def unfinished(self) -> tuple[list[Progress], list[SagaLogBroken]]:
        """Every saga that has not ended, in the order they began, and what is wrong with others.

        Reads from the last floor on: a sequence before which no saga is open.
        """
        await self.prepare()
        floor = await self._floor()
        found = _Unfinished(floor)
        end = floor - 1
        pattern = f"compensation.log.{self._namespace}.*.*"
        async for record in self._broker.read(STREAM, pattern, start=floor):
            found.add(record)
            end = record.sequence
        unfinished = sorted(found.open.values(), key=lambda progress: progress.first)
        if not found.broken:
            await self._raise_floor(floor, unfinished[0].first if unfinished else end + 1)
        return unfinished, list(found.broken.values())

    async def _floor(self) -> int:
        last = await self._broker.last(STREAM, f"compensation.floor.{self._namespace}")
        if last is None:
            return 1
        try:
            floor = unpack(last.payload)
        except FrameError:
            return 1
        return floor if isinstance(floor, int) and floor > 0 else 1

    async def _raise_floor(self, old: int, new: int) -> None:
        if new - old >= FLOOR_STEP:
            await self._broker.append(STREAM, f"compensation.floor.{self._namespace}", pack(new))


class _Unfinished:
    """The logs that are read from `floor` on, sorted out; ended ones are forgotten."""

    def __init__(self, floor: int) -> None:
        self.open: dict[str, Progress] = {}
        self.broken: dict[str, SagaLogBroken] = {}
        self._floor = floor

    def add(self, record: Record) -> None:
        subject = record.subject
        if subject in self.broken:
            return
        saga, id = subject.split(".")[3:]
        progress = self.open.setdefault(subject, Progress(saga, id))
        try:
            progress.read(record)
        except SagaLogBroken as error:
            if self._floor == 1 or progress.count:
                self.broken[subject] = error
            # One that began before the floor has ended since: this is how it went on.
            del self.open[subject]
            return
        if progress.phase == "ended":
            del self.open[subject]
