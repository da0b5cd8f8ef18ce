"""Why one machine cannot take the place of another, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..machine import Action
from ..meaning import declaration

Kind = Literal[
    "unexpected send",
    "missing send",
    "missing receive",
    "unexpected receive",
    "early end",
    "late end",
    "payload",
    "rounds",
    "endless",
    "instances",
    "too large",
]
SHOWN = 4
"""How many of the last steps before a difference a sentence names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step at which `candidate` cannot stand in for `original`, both like `new Buyer`.

    `trace` are the steps that lead there, the same in both machines and as few as possible;
    `action` is the step that only one side has, or has in another form (`other`).
    """

    kind: Kind
    candidate: str
    original: str
    trace: tuple[Action, ...] = ()
    action: Action | None = None
    other: Action | None = None
    detail: str = ""

    def __str__(self) -> str:
        return f"{self._place()}, {self._what()}"

    def _place(self) -> str:
        if not self.trace:
            return "at the start"
        dots = "..., " if len(self.trace) > SHOWN else ""
        return f"after {dots}{', '.join(map(str, self.trace[-SHOWN:]))}"

    def _what(self) -> str:
        new, old, version = self.candidate, self.original, self.original.split()[0]
        step = self.action
        label, peer = (step.label, str(step.peer)) if step else ("", "")
        match self.kind:
            case "unexpected send":
                return f"{new} sends {label} to {peer}, which {version} {peer} does not expect"
            case "missing send":
                return f"{old} sends {label} to {peer}, and {new} does not"
            case "missing receive":
                return f"{version} {peer} sends {label}, which {new} does not expect"
            case "unexpected receive":
                return f"{new} waits for {label} from {peer}, which {version} {peer} does not send"
            case "early end":
                return f"{new} is at its end, where {old} goes on{self._with(step)}"
            case "late end":
                return f"{old} is at its end, where {new} goes on{self._with(step)}"
            case "payload":
                assert step is not None and self.other is not None
                one, other = declaration(step.message), declaration(self.other.message)
                way = "sends" if step.sends else "expects"
                return f"{new} {way} {one}, {old} {other}"
            case "endless":
                way_out = f"send {label} to {peer}" if step else "stop"
                return f"{new} goes round without end, where {old} can {way_out}"
            case "rounds" | "instances" | "too large":
                return self.detail

    def _with(self, step: Action | None) -> str:
        return f" with {step}" if step else ""


def labels(trace: Sequence[Action]) -> list[str]:
    """The steps of a trace as text."""
    return [str(action) for action in trace]
