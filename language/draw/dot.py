"""Graphviz DOT of a local machine."""

from __future__ import annotations

import json

from ..machine import Machine
from .timed import step_text


def machine_dot(machine: Machine) -> str:
    """A digraph; final states have two rings, states that only count are diamonds."""
    text = [f"digraph {json.dumps(machine.name)} {{", "  rankdir=LR;", "  start [shape=point];"]
    for state in machine.states:
        shape = "doublecircle" if state in machine.finals else "circle"
        if state in machine.counters:
            shape = "diamond"
        text.append(f"  {state} [shape={shape}];")
    text.append(f"  start -> {machine.initial};")
    for t in machine.transitions:
        text.append(f"  {t.source} -> {t.target} [label={json.dumps(step_text(t.action))}];")
    for state, c in sorted(machine.counters.items()):
        times = f"{c.count} times" if c.enters else "again"
        text.append(f"  {state} -> {c.body} [label={json.dumps(times)}, style=dashed];")
        text.append(f'  {state} -> {c.exit} [label="done", style=dashed];')
    text.append("}")
    return "\n".join(text)
