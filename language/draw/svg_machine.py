"""A local machine as a state diagram in SVG.

States stand in columns by their distance from the beginning; edges that go on by one column are
straight, all others bow above or below.
"""

from __future__ import annotations

from collections import defaultdict

from ..machine import Machine
from .svg import Canvas, letters
from .timed import step_text

RADIUS = 16
ROW = 90


def machine_svg(machine: Machine) -> str:
    """States as circles, final ones with two rings; steps between the same two share an arrow."""
    labels = _labels(machine)
    places = _places(machine, labels)
    canvas = Canvas()
    for (source, target), words in labels.items():
        _edge(canvas, places[source], places[target], words)
    for state, (x, y) in places.items():
        canvas.circle(x, y, RADIUS)
        if state in machine.finals:
            canvas.circle(x, y, RADIUS - 4)
        canvas.text(x, y + 4, str(state))
    x, y = places[machine.initial]
    canvas.line((x - 44, y), (x - RADIUS - 2, y), arrow=True)
    return canvas.document(machine.name)


def _labels(machine: Machine) -> dict[tuple[int, int], list[str]]:
    labels: dict[tuple[int, int], list[str]] = defaultdict(list)
    for step in machine.transitions:
        labels[step.source, step.target].append(step_text(step.action))
    for state, counter in machine.counters.items():
        times = f"{counter.count} times" if counter.enters else "again"
        labels[state, counter.body].append(times)
        labels[state, counter.exit].append("done")
    return labels


def _places(
    machine: Machine, labels: dict[tuple[int, int], list[str]]
) -> dict[int, tuple[float, float]]:
    after: dict[int, list[int]] = defaultdict(list)
    for source, target in labels:
        after[source].append(target)
    columns = {machine.initial: 0}
    waiting = [machine.initial]
    for state in waiting:
        for target in after[state]:
            if target not in columns:
                columns[target] = columns[state] + 1
                waiting.append(target)
    spacing = max(letters(w for words in labels.values() for w in words) + 64, 110)
    rows: dict[int, int] = defaultdict(int)
    most = max((list(columns.values()).count(c) for c in set(columns.values())), default=1)
    places: dict[int, tuple[float, float]] = {}
    for state in waiting:
        column = columns[state]
        count = list(columns.values()).count(column)
        top = (most - count) / 2
        places[state] = (70 + spacing * column, 80 + ROW * (top + rows[column]))
        rows[column] += 1
    return places


def _edge(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], words: list[str]
) -> None:
    (x1, y1), (x2, y2) = start, end
    if start == end:
        loop = f"M{x1 - 8:.0f} {y1 - 14:.0f}C{x1 - 30:.0f} {y1 - 54:.0f} {x1 + 30:.0f} "
        canvas.path(f"{loop}{y1 - 54:.0f} {x1 + 8:.0f} {y1 - 15:.0f}", arrow=True)
        _stack(canvas, x1, y1 - 50, words)
        return
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    columns = round(abs(x2 - x1) / ROW)
    bow = 0.0 if x2 > x1 and columns < 4 and y1 != y2 else 16.0
    if x2 <= x1:
        bow = 34.0 + abs(x2 - x1) / 10
    cx, cy = (x1 + x2) / 2 + dy * bow, (y1 + y2) / 2 - dx * bow
    begin = (x1 + dx * RADIUS, y1 + dy * RADIUS)
    finish = (x2 - dx * (RADIUS + 1), y2 - dy * (RADIUS + 1))
    canvas.path(
        f"M{begin[0]:.0f} {begin[1]:.0f}Q{cx:.0f} {cy:.0f} {finish[0]:.0f} {finish[1]:.0f}",
        arrow=True,
    )
    canvas.reach(cx, cy)
    _stack(canvas, (x1 + x2) / 2 + dy * bow / 2, (y1 + y2) / 2 - dx * bow / 2 - 5, words)


def _stack(canvas: Canvas, x: float, y: float, words: list[str]) -> None:
    for place, word in enumerate(reversed(words)):
        canvas.text(x, y - 14 * place, word)
