"""What a saga came to, in full: what was done, undone, kept, and could not be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["open", "committed", "compensated", "stuck"]


@dataclass(frozen=True, slots=True)
class UndoFailure:
    """The compensation of `step` raised; what the step did may still stand."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class SagaOutcome:
    """As its log says. `committed`: every step is done. `compensated`: all that was done is undone,
    but for `kept`, steps that have no compensation. `stuck`: so, but for `failures` too.
    `open`: it is still going on, or waits to be recovered.

    `results` are those of the steps that were done, by name, in order; `undone` the steps in
    the order of their compensation. `failed` is the step that ended it, empty where that was
    between two steps, and `reason` why.
    """

    saga: str
    id: str
    status: Status
    results: Mapping[str, Any]
    failed: str = ""
    reason: str = ""
    undone: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failures: tuple[UndoFailure, ...] = ()

    @property
    def summary(self) -> str:
        """In one line."""
        parts = [f"{self.failed or 'it'} failed: {self.reason}" if self.reason else self.status]
        if self.undone:
            parts.append(f"undone: {', '.join(self.undone)}")
        if self.kept:
            parts.append(f"kept: {', '.join(self.kept)}")
        parts += [f"{f.step} could not be undone: {f.reason}" for f in self.failures]
        return "; ".join(parts)
