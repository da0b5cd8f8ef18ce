"""Mermaid: the protocol as a sequence diagram, a machine as a state diagram."""

from __future__ import annotations

import re

from ..knowledge import Selection
from ..machine import Machine
from ..tree import Protocol
from .lines import Line, lines


def sequence_mermaid(protocol: Protocol, selections: tuple[Selection, ...] = ()) -> str:
    """A `sequenceDiagram`; a family is one participant, named in the message where only a part
    of it takes part; a selection is a dashed arrow."""
    text = ["sequenceDiagram"]
    for role in protocol.roles:
        family = "" if role.size is None else f" as {role.name}[{role.size}]"
        text.append(f"    participant {role.name}{family}")
    names = [role.name for role in protocol.roles]
    blocks = list[str]()
    for line in lines(protocol, selections):
        text += ("    " * (line.depth + 1) + drawn for drawn in _drawn(line, names, blocks))
    return "\n".join(text)


def _drawn(line: Line, names: list[str], blocks: list[str]) -> list[str]:
    match line.kind:
        case "message":
            return _messages(line, names)
        case "open":
            blocks.append(line.word)
            if line.word == "rect":
                return ["rect rgb(240, 240, 240)", f"Note over {names[0]},{names[-1]}: {line.text}"]
            return [f"{line.word} {line.text}"]
        case "else":
            return [f"{'and' if line.word == 'par' else 'else'} {line.text}"]
        case "close":
            blocks.pop()
            return ["end"]
        case "note":
            return [f"Note over {names[0]},{names[-1]}: {line.text}"]


def _messages(line: Line, names: list[str]) -> list[str]:
    sender = line.sender.split("[")[0]
    arrow = "-->>" if line.text.startswith("@") else "->>"
    part = ", ".join(r for r in (line.sender, line.receiver) if "[" in r)
    text = _escaped(line.text) + (f" ({part})" if part else "")
    receivers = [line.receiver.split("[")[0]]
    if line.receiver == "*":
        receivers = [name for name in names if name != sender]
    return [f"{sender}{arrow}{receiver}: {text}" for receiver in receivers]


def machine_mermaid(machine: Machine) -> str:
    """A `stateDiagram-v2` of one local machine."""
    text = ["stateDiagram-v2", f"    [*] --> s{machine.initial}"]
    for t in machine.transitions:
        text.append(f"    s{t.source} --> s{t.target}: {_escaped(str(t.action))}")
    for state, c in sorted(machine.counters.items()):
        times = f"{c.count} times" if c.enters else "again"
        text.append(f"    s{state} --> s{c.body}: {times}")
        text.append(f"    s{state} --> s{c.exit}: done")
    text += (f"    s{state} --> [*]" for state in sorted(machine.finals))
    return "\n".join(text)


def _escaped(text: str) -> str:
    """Mermaid ends a label at `;` and `#` and reads `<` as markup."""
    return re.sub(r"[<>#;]", lambda m: f"#{ord(m.group())};", text)
