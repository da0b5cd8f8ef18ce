"""How far a saga has come: its log, folded. Pure; the executor and an audit read the same rules.

    begun  (doing done)*  ended                                   committed
    begun  (doing done)*  doing? failed  (undoing+ undone|stuck)*  ended

`adopted` may stand anywhere before `ended`: another process has taken the saga over, and only
records of that one may follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ...broker.contract import Record
from ...broker.errors import FrameError
from ...broker.payload import pack, unpack
from .errors import SagaLogBroken
from .outcome import SagaOutcome, Status, UndoFailure

Kind = Literal["begun", "adopted", "doing", "done", "failed", "undoing", "undone", "stuck", "ended"]
Phase = Literal["new", "forward", "back", "ended"]


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One record: the `number`th of its saga, from 0, written by `owner`, a run of a process."""

    number: int
    kind: Kind
    owner: str
    step: str = ""
    value: Any = None

    def pack(self) -> bytes:
        return pack([self.number, self.kind, self.owner, self.step, self.value])


class Start(msgspec.Struct, frozen=True):
    """The value of `begun`: the saga's shape, and what it was given."""

    shape: tuple[tuple[str, bool], ...]
    given: dict[str, Any]


class Failure(msgspec.Struct, frozen=True):
    """The value of `failed`. `unknown`: whether the step may have happened nevertheless."""

    reason: str
    unknown: bool


@dataclass(slots=True)
class Progress:
    """One saga's; `apply` moves it on by a record and raises `SagaLogBroken` for one that cannot
    follow. `todo` are the steps still to be undone, in order; `at` the step under way."""

    saga: str
    id: str
    phase: Phase = "new"
    shape: Sequence[tuple[str, bool]] = ()
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    at: str = ""
    failed: str = ""
    reason: str = ""
    todo: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    failures: list[UndoFailure] = field(default_factory=list[UndoFailure])
    owner: str = ""
    count: int = 0
    first: int = 0
    sequence: int = 0
    time: int = 0

    def read(self, record: Record) -> None:
        """`apply` what a record of the stream holds."""
        try:
            entry = msgspec.convert(unpack(record.payload), Entry)
        except (FrameError, msgspec.ValidationError):
            raise self._broken(record.sequence, "is not one") from None
        self.apply(entry, record.sequence, record.time)

    def apply(self, entry: Entry, sequence: int, time: int = 0) -> None:
        self._check(entry, sequence)
        fault = self._move(entry)
        if fault:
            raise self._broken(sequence, f"says {entry.kind} {entry.step}".rstrip() + f", {fault}")
        self.owner = entry.owner
        self.count += 1
        self.first = self.first or sequence
        self.sequence = sequence
        self.time = time

    def _check(self, entry: Entry, sequence: int) -> None:
        if entry.number != self.count:
            raise self._broken(sequence, f"has the number {entry.number}, not {self.count}")
        if self.phase == "ended":
            raise self._broken(sequence, "comes after its end")
        if (self.phase == "new") != (entry.kind == "begun"):
            raise self._broken(sequence, f"says {entry.kind}, where it begins or has begun")
        if entry.kind not in ("begun", "adopted") and entry.owner != self.owner:
            raise self._broken(sequence, "is from one that has lost the saga to another")

    def _broken(self, sequence: int, why: str) -> SagaLogBroken:
        return SagaLogBroken(self.saga, self.id, sequence, why)

    def _move(self, entry: Entry) -> str:
        """Take the step that `entry` says; why it cannot be taken, if so."""
        match entry.kind:
            case "begun":
                return self._begin(entry)
            case "adopted":
                return ""
            case "doing" | "done":
                return self._forward(entry)
            case "failed":
                return self._fail(entry)
            case "undoing" | "undone" | "stuck":
                return self._back(entry)
            case "ended":
                if self.todo or (self.phase == "forward" and not self.is_done):
                    return "and steps are left"
                self.phase = "ended"
        return ""

    def _begin(self, entry: Entry) -> str:
        try:
            start = msgspec.convert(entry.value, Start)
        except msgspec.ValidationError:
            return "without its shape"
        self.phase, self.shape, self.given = "forward", start.shape, start.given
        return ""

    def _forward(self, entry: Entry) -> str:
        if self.phase != "forward" or entry.step != self._next():
            return "which is not what comes next"
        if (entry.kind == "doing") == bool(self.at):
            return "out of turn"
        if entry.kind == "doing":
            self.at = entry.step
        else:
            self.at = ""
            self.results[entry.step] = entry.value
        return ""

    def _fail(self, entry: Entry) -> str:
        if self.phase != "forward" or entry.step != self.at:
            return "and that step was not under way"
        try:
            failure = msgspec.convert(entry.value, Failure)
        except msgspec.ValidationError:
            return "without its reason"
        happened = [*self.results, *([entry.step] if failure.unknown and entry.step else [])]
        can_be_undone = dict(self.shape)
        self.phase, self.at = "back", ""
        self.failed, self.reason = entry.step, failure.reason
        self.todo = [name for name in reversed(happened) if can_be_undone[name]]
        self.kept = [name for name in happened if not can_be_undone[name]]
        return ""

    def _back(self, entry: Entry) -> str:
        if self.phase != "back" or not self.todo or entry.step != self.todo[0]:
            return "which is not what is to be undone next"
        if entry.kind == "undoing":
            # It may stand there twice: after a crash nobody knows how far the first came.
            self.at = entry.step
            return ""
        if not self.at:
            return "out of turn"
        self.at = ""
        self.todo.pop(0)
        if entry.kind == "undone":
            self.undone.append(entry.step)
        else:
            self.failures.append(UndoFailure(entry.step, str(entry.value)))
        return ""

    def _next(self) -> str:
        return "" if self.is_done else self.shape[len(self.results)][0]

    @property
    def is_done(self) -> bool:
        """Every step was done."""
        return len(self.results) == len(self.shape)

    @property
    def outcome(self) -> SagaOutcome:
        return SagaOutcome(
            self.saga,
            self.id,
            self._status(),
            dict(self.results),
            self.failed,
            self.reason,
            tuple(self.undone),
            tuple(self.kept),
            tuple(self.failures),
        )

    def _status(self) -> Status:
        if self.phase != "ended":
            return "open"
        if not self.reason:
            return "committed"
        return "stuck" if self.failures else "compensated"
