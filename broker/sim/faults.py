"""What can go wrong in a simulation, as data: which fault, to whom, when, for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

Kind = Literal[
    "delay",
    "duplicate",
    "reorder",
    "corrupt",
    "loss",
    "answer",
    "partition",
    "crash",
    "skew",
    "budget",
    "journal",
    "wrong_label",
    "forged_sender",
    "replay",
    "silence",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

MEANING: dict[Kind, str] = {
    "delay": "a message, and all after it, is late by `seconds`",
    "duplicate": "a message arrives twice",
    "reorder": "a message arrives `seconds` late, after those sent after it",
    "corrupt": "a message arrives cut short",
    "loss": "the connection breaks for `seconds`; what is on its way is lost",
    "answer": "the broker does what it is asked next, and its answer is lost",
    "partition": "the connections of `roles` break together for `seconds`",
    "crash": "the process is killed, and started again after `seconds` (0 for never)",
    "skew": "the clock of the process is set forward by `seconds` (back if negative)",
    "budget": "what is left of the role's flow budget is spent by others",
    "journal": "nothing can be stored in the journal for `seconds`",
    "wrong_label": "a message leaves under the label of another",
    "forged_sender": "a message is sent once more, in the name of another role",
    "replay": "a message that was sent before is sent once more",
    "silence": "nothing that the process says is heard for `seconds` (0 for ever)",
}

BYZANTINE: frozenset[Kind] = frozenset({"wrong_label", "forged_sender", "replay", "silence"})

TIMED: frozenset[Kind] = frozenset({"partition", "crash", "skew", "budget", "journal", "silence"})
"""Kinds that may strike at a time; the others strike a message."""


@dataclass(frozen=True, slots=True)
class Fault:
    """It strikes the role's message number `after` (a frame, from 1), or at the simulated second
    `at`. `roles` are the others of a partition."""

    kind: Kind
    role: str
    after: int = 0
    at: float = 0.0
    seconds: float = 0.0
    roles: tuple[str, ...] = ()

    def __str__(self) -> str:
        whom = ", ".join((self.role, *self.roles))
        when = f"message {self.after}" if self.after else f"{self.at:.3f} s"
        long = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.kind} of {whom} at {when}{long}"

    def with_seconds(self, seconds: float) -> Fault:
        return replace(self, seconds=seconds)
