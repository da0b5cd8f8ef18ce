"""What a simulation has to know of a protocol, whatever its counts; worked out once for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...language.compiler import Compiled

MESSAGES = 6
"""The highest number of a message that is struck by a fault that was drawn."""

KEPT = 64


@dataclass(frozen=True, slots=True)
class Outline:
    """`labels` is what each role says to each other one; `lengths` how many messages of each role
    may be struck: as many as it sends, or some where it may go on."""

    labels: Mapping[tuple[str, str], frozenset[str]]
    lengths: Mapping[str, int]


_kept: dict[bytes, Outline] = {}


def outline_of(compiled: Compiled) -> Outline:
    found = _kept.get(compiled.fingerprint)
    if found is None:
        if len(_kept) >= KEPT:
            _kept.clear()
        found = _kept[compiled.fingerprint] = _outline(compiled)
    return found


def _outline(compiled: Compiled) -> Outline:
    labels: dict[tuple[str, str], set[str]] = {}
    lengths: dict[str, int] = {}
    for role, machines in compiled.sketch().machines.items():
        transitions = [t for machine in machines for t in machine.transitions]
        for action in (t.action for t in transitions if t.action.sends):
            labels.setdefault((role, action.peer.role), set()).add(action.label)
        sends = max(sum(t.action.sends for t in machine.transitions) for machine in machines)
        goes_on = any(t.target <= t.source for t in transitions)
        lengths[role] = MESSAGES if goes_on else min(sends, MESSAGES)
    return Outline({pair: frozenset(said) for pair, said in labels.items()}, lengths)
