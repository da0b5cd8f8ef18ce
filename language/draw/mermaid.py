"""Mermaid: the protocol as a sequence diagram, a machine as a state diagram."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from ..knowledge import Selection
from ..machine import Machine
from ..tree import Protocol, RoleDecl
from .lines import Line, lines
from .timed import step_text

WORDS = frozenset(
    [
        "accdescr",
        "acctitle",
        "activate",
        "actor",
        "alt",
        "and",
        "as",
        "autonumber",
        "box",
        "break",
        "create",
        "critical",
        "deactivate",
        "destroy",
        "details",
        "else",
        "end",
        "left",
        "link",
        "links",
        "loop",
        "note",
        "off",
        "opt",
        "option",
        "over",
        "par",
        "par_over",
        "participant",
        "properties",
        "rect",
        "right",
        "sequencediagram",
        "title",
    ]
)
"""What begins or ends a line of a sequence diagram, whatever its case."""


def sequence_mermaid(protocol: Protocol, selections: tuple[Selection, ...] = ()) -> str:
    """A `sequenceDiagram`; a family is one participant, named in the message where only a part
    of it takes part; a selection is a dashed arrow."""
    drawing = _Drawing(protocol)
    text = ["sequenceDiagram"]
    text += (f"    participant {drawing.participant(role)}" for role in protocol.roles)
    for line in lines(protocol, selections):
        text += ("    " * (line.depth + 1) + drawn for drawn in drawing.line(line))
    return "\n".join(text)


class _Drawing:
    def __init__(self, protocol: Protocol) -> None:
        parameters = [name for sub in protocol.subprotocols for name in sub.parameters or ()]
        self._names = _identifiers([*(role.name for role in protocol.roles), *parameters])
        self._roles = [self._names[role.name] for role in protocol.roles]
        self._words = list[str]()

    def participant(self, role: RoleDecl) -> str:
        shown = role.name if role.size is None else f"{role.name}[{role.size}]"
        name = self._names[role.name]
        return name if name == shown else f"{name} as {shown}"

    def line(self, line: Line) -> list[str]:
        over = f"Note over {self._roles[0]},{self._roles[-1]}: {line.text}"
        match line.kind:
            case "message":
                return self._messages(line)
            case "open":
                if line.word == "rect":
                    return ["rect rgb(240, 240, 240)", over]
                return [f"{line.word} {line.text}"]
            case "else":
                return [f"{'and' if line.word == 'par' else 'else'} {line.text}"]
            case "close":
                return ["end"]
            case "note":
                return [over]

    def _messages(self, line: Line) -> list[str]:
        sender = self._name(line.sender)
        arrow = "-->>" if line.text.startswith("@") else "->>"
        part = ", ".join(r for r in (line.sender, line.receiver) if "[" in r)
        text = _escaped(line.text) + (f" ({part})" if part else "")
        receivers = [self._name(line.receiver)]
        if line.receiver == "*":
            receivers = [name for name in self._roles if name != sender]
        return [f"{sender}{arrow}{receiver}: {text}" for receiver in receivers]

    def _name(self, written: str) -> str:
        """The participant of `A` or `W[0..2]`."""
        name = written.split("[")[0]
        return self._names.get(name, name)


def _identifiers(names: Collection[str]) -> dict[str, str]:
    """What each name is called inside a diagram: not as a word of Mermaid's own."""
    found: dict[str, str] = {}
    for name in names:
        own = name
        while own.lower() in WORDS or (own != name and own in names):
            own += "_"
        found[name] = own
    return found


def machine_mermaid(machine: Machine) -> str:
    """A `stateDiagram-v2` of one local machine, with its name as the title."""
    title = ["---", f"title: {json.dumps(machine.name)}", "---"]
    text = [*title, "stateDiagram-v2", f"    [*] --> s{machine.initial}"]
    for t in machine.transitions:
        text.append(f"    s{t.source} --> s{t.target}: {_escaped(step_text(t.action))}")
    for state, c in sorted(machine.counters.items()):
        times = f"{c.count} times" if c.enters else "again"
        text.append(f"    s{state} --> s{c.body}: {times}")
        text.append(f"    s{state} --> s{c.exit}: done")
    text += (f"    s{state} --> [*]" for state in sorted(machine.finals))
    return "\n".join(text)


def _escaped(text: str) -> str:
    """Mermaid ends a label at `;` and `#` and reads `<` as markup."""
    return re.sub(r"[<>#;]", lambda m: f"#{ord(m.group())};", text)
