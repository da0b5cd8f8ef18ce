"""A trace of composed automata as a sequence, for a terminal and in Mermaid.

Sending and receiving are two steps, so that messages that overtake each other are seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..system import Step

Trace = Sequence[tuple[str, Step]]
MARGIN = 4


def trace_text(names: Sequence[str], trace: Trace) -> str:
    """One lifeline per name; an arrow is drawn where its message is sent, a dot where it is
    received."""
    shown = _taking_part(names, trace)
    labels = [step.label for _, step in trace]
    width = max(map(len, (*shown, *labels)), default=1) + MARGIN
    places = {name: number * width for number, name in enumerate(shown)}
    lines = ["".join(name.ljust(width) for name in shown).rstrip()]
    lines += (_line(who, step, places, shown) for who, step in trace)
    return "\n".join(lines)


def trace_mermaid(names: Sequence[str], trace: Trace) -> str:
    """A `sequenceDiagram`; messages that are never received end in a cross."""
    text = ["sequenceDiagram"]
    shown = _taking_part(names, trace)
    known = {name: f"p{number}" for number, name in enumerate(shown)}
    text += (f"    participant {short} as {name}" for name, short in known.items())
    lost = _lost(trace)
    for place, (who, step) in enumerate(trace):
        label = re.sub(r"[<>#;]", lambda m: f"#{ord(m.group())};", step.label)
        if step.sends:
            arrow = "-x" if place in lost else "-)"
            text.append(f"    {known[who]}{arrow}{known[step.peer]}: {label}")
        else:
            text.append(f"    Note over {known[who]}: receives {label} from {step.peer}")
    return "\n".join(text)


def _taking_part(names: Sequence[str], trace: Trace) -> list[str]:
    """Those in the trace, in the order of `names`; peers that have no machine come last."""
    seen = {name for who, step in trace for name in (who, step.peer)}
    return [n for n in names if n in seen] + sorted(seen.difference(names))


def _lost(trace: Trace) -> set[int]:
    """The places of the sends whose messages are not received in the trace."""
    waiting: dict[tuple[str, str], list[int]] = {}
    for place, (who, step) in enumerate(trace):
        if step.sends:
            waiting.setdefault((who, step.peer), []).append(place)
        else:
            waiting[step.peer, who].pop(0)
    return {place for places in waiting.values() for place in places}


def _line(who: str, step: Step, places: dict[str, int], shown: list[str]) -> str:
    line = ["|" if column in places.values() else " " for column in range(places[shown[-1]] + 1)]
    here, there = places[who], places[step.peer]
    if step.sends:
        left, right = sorted((here, there))
        arrow = f" {step.label} ".center(right - left - 1, "-")
        arrow = f"{arrow[:-1]}>" if there > here else f"<{arrow[1:]}"
        line[left + 1 : right] = arrow
    else:
        line += " " * (len(step.label) + 2)
        line[here : here + len(step.label) + 2] = f"* {step.label}"
    return "".join(line).rstrip()
