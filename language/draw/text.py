"""Protocols as text for a terminal."""

from __future__ import annotations

from ..knowledge import Selection
from ..machine import Machine
from ..tree import Protocol
from .lines import lines
from .table import instances, machine_text


def sequence_text(protocol: Protocol, selections: tuple[Selection, ...] = ()) -> str:
    """One line per message, blocks indented."""
    text = [f"{protocol.full_name}"]
    for line in lines(protocol, selections):
        indent = "  " * (line.depth + 1)
        match line.kind:
            case "message":
                text.append(f"{indent}{line.sender} -> {line.receiver}: {line.text}")
            case "open" | "else":
                text.append(
                    f"{indent}{line.word if line.word != 'rect' else ''} {line.text}".rstrip()
                )
            case "note":
                text.append(f"{indent}{line.text}")
            case "close":
                pass
    return "\n".join(text)


def protocol_text(machines: tuple[Machine, ...]) -> str:
    """All machines of one role, each under its name and number of instances."""
    parts = [f"{m.name} ({how_many(m)})\n{machine_text(m)}" for m in machines]
    return "\n\n".join(parts)


def how_many(machine: Machine) -> str:
    """`5 instances`, `N instances`, `instances threshold..N`."""
    count = instances(machine)
    if count == "*":
        return "any number of instances"
    if isinstance(count, str) and ".." in count:
        return f"instances {count}"
    return "1 instance" if count == 1 else f"{count} instances"
