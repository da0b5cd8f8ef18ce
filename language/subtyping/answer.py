"""What a check of two machines says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..system import Step

Verdict = Literal["yes", "no", "cannot decide"]
Side = Literal["candidate", "original"]


@dataclass(frozen=True, slots=True)
class Move:
    """One step of one of the two machines; the candidate's sends run ahead of the original's."""

    side: Side
    step: Step

    def __str__(self) -> str:
        return f"{self.side} {self.step}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`trace` leads from the initial states to what `reason` describes, and `loop`, unless it is
    empty, can then be repeated for ever. Both are empty unless the verdict is "no".

    `configurations` were visited; `method` says what decided: "simulation", "exact" or
    "summaries of length k".
    """

    verdict: Verdict
    reason: str
    trace: tuple[Move, ...] = ()
    loop: tuple[Move, ...] = ()
    configurations: int = 0
    method: str = ""
