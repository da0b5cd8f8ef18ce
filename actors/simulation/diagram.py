"""A simulated session as a sequence diagram for a terminal, with its faults where they struck."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ...broker.sim.trace import Entry

MARGIN = 4
LINES = 60
"""The most lines that are drawn; of more, the last."""

_SAID = re.compile(r"(\S+)#(\d+) [0-9a-f]{8}")


def drawn(roles: Sequence[str], entries: Sequence[Entry]) -> str:
    """One lifeline per role. An arrow is drawn where a message is sent, and ends in an x where it
    never arrives; a star where one is received that others overtook. Signs of life are left out."""
    lines = list(_Diagram(roles, entries).lines())
    if len(lines) > LINES:
        hidden = (lines[-LINES][0], -1, -1, f"... {len(lines) - LINES} lines before")
        lines = [hidden, *lines[-LINES:]]
    widest = max(len(role) for role in roles)
    labels = [len(label) + 4 for e in entries for label, _ in _SAID.findall(e.text)]
    width = min(max([widest, *labels]) + MARGIN, 28)
    heading = " " * 10 + "".join(role.ljust(width) for role in roles).rstrip()
    return "\n".join([heading, *(_text(line, len(roles), width) for line in lines)])


Line = tuple[float, int, int, str]
"""The time, the column, the column that an arrow goes to (or -1), the text."""


class _Diagram:
    def __init__(self, roles: Sequence[str], entries: Sequence[Entry]) -> None:
        self._columns = {role: place for place, role in enumerate(roles)}
        self._entries = entries
        self._arrived = Counter(
            (_role(e.who), _role(e.to), e.text) for e in entries if e.event == "came"
        )

    def lines(self) -> list[Line]:
        found: list[Line] = []
        for entry in self._entries:
            here = self._columns.get(_role(entry.who), -1)
            match entry.event:
                case "sent":
                    found += self._sent(entry, here)
                case "fault":
                    found.append((entry.time, -1, -1, f"!! {entry.text}"))
                case "note":
                    found.append((entry.time, -1, -1, f"== {entry.who}: {entry.text}"))
                case "refused":
                    found.append((entry.time, here, -1, f"refused: {entry.to or entry.text}"))
                case "ended":
                    for role in entry.who.split("+"):
                        where = self._columns.get(role, -1)
                        found.append((entry.time, where, -1, f"({entry.text})"))
                case _:
                    continue
        return found

    def _sent(self, entry: Entry, here: int) -> list[Line]:
        there = self._columns.get(_role(entry.to), -1)
        found: list[Line] = []
        for label, _ in _SAID.findall(entry.text):
            key = (_role(entry.who), _role(entry.to), label)
            arrives = self._arrived[key] > 0
            self._arrived[key] -= arrives
            found.append((entry.time, here, there, label + ("" if arrives else " x")))
        return found


def _role(instance: str) -> str:
    """`Worker.2` and `Worker[2]` are both of Worker."""
    return re.split(r"[.\[]", instance, maxsplit=1)[0]


def _text(line: Line, columns: int, width: int) -> str:
    time, here, there, text = line
    start = f"{time:8.3f}  "
    if here < 0:
        return start + text
    row = ["|" if at % width == 0 else " " for at in range((columns - 1) * width + 1)]
    if there < 0 or there == here:
        row[here * width : here * width + len(text) + 2] = f"* {text}"
        return start + "".join(row).rstrip()
    left, right = sorted((here * width, there * width))
    label, cross, _ = text.partition(" x")
    arrow = f" {label} ".center(right - left - 1, "-")
    tip = "x" if cross else (">" if there > here else "<")
    row[left + 1 : right] = arrow[:-1] + tip if there > here else tip + arrow[1:]
    return start + "".join(row).rstrip()
