"""A local machine as JSON and as text for a terminal."""

from __future__ import annotations

from ..machine import Machine
from ..unroll import unrolled
from .timed import step_text, times_json


def instances(machine: Machine) -> int | str:
    """How many instances run this machine; a text like `N` or `threshold..N` while it is open."""
    if machine.start is None:
        return 1
    if isinstance(machine.start, int) and isinstance(machine.stop, int):
        return machine.stop - machine.start
    if machine.start == 0:
        return str(machine.stop)
    return f"{machine.start}..{machine.stop}"


def machine_json(machine: Machine) -> dict[str, object]:
    """`{"instances", "initial", "final", "transitions": [[0, "Followers[*]!Proposal", 1]]}`.

    Counted loops are written out. Where that is not possible (an open count, or too many rounds)
    the states that count stay, and `loops` says for each `{"state", "count", "body", "exit"}`.
    A machine that measures time has `times` (see `timed.times_json`).
    """
    plain = unrolled(machine)
    shown = plain or machine
    table: dict[str, object] = {
        "instances": instances(machine),
        "initial": shown.initial,
        "final": sorted(shown.finals),
        "transitions": [[t.source, str(t.action), t.target] for t in shown.transitions],
    }
    times = times_json(shown)
    if times:
        table["times"] = times
    if shown.counters:
        table["loops"] = [
            {"state": state, "count": c.count, "enters": c.enters, "body": c.body, "exit": c.exit}
            for state, c in sorted(shown.counters.items())
        ]
    return table


def machine_text(machine: Machine) -> str:
    """One line per transition, the loops as they are counted."""
    lines = list[str]()
    for state in machine.states:
        mark = "final" if state in machine.finals else ""
        counter = machine.counters.get(state)
        if counter is not None:
            rest = f"{counter.count} times to {counter.body}" if counter.enters else "again"
            lines.append(f"{state:>4}  {rest}, then to {counter.exit}")
            continue
        leaving = [f"{step_text(t.action)} -> {t.target}" for t in machine.leaving(state)]
        for text in leaving or [mark]:
            lines.append(f"{state:>4}  {text}".rstrip())
        if mark and leaving:
            lines.append(f"{state:>4}  {mark}")
    return "\n".join(lines)
