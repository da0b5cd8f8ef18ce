"""The global protocol as a sequence diagram in SVG."""

from __future__ import annotations

from ..knowledge import Selection
from ..tree import Protocol
from .lines import Line, lines
from .svg import LETTER, Canvas, letters

ROW = 34
HEAD = 28


def sequence_svg(protocol: Protocol, selections: tuple[Selection, ...] = ()) -> str:
    """One lifeline per role (a family is one), blocks as frames, selections dashed."""
    return _Sequence(protocol, list(lines(protocol, selections))).document()


class _Sequence:
    def __init__(self, protocol: Protocol, drawn: list[Line]) -> None:
        self._protocol = protocol
        self._canvas = Canvas()
        self._names = [role.name for role in protocol.roles]
        titles = [r.name if r.size is None else f"{r.name}[{r.size}]" for r in protocol.roles]
        # The parameters of sub-protocols have lifelines of their own.
        used = (r.split("[")[0] for x in drawn for r in (x.sender, x.receiver) if x.sender)
        parameters = [r for r in dict.fromkeys(used) if r not in {*self._names, "*"}]
        self._names += parameters
        titles += parameters
        spacing = max(letters(line.text for line in drawn) + 40, letters(titles) + 40, 120)
        depth = max((line.depth for line in drawn), default=0)
        self._left = 20 + 12 * (depth + 1)
        self._x = {n: self._left + spacing * (k + 0.5) for k, n in enumerate(self._names)}
        self._right = self._left + spacing * len(titles)
        self._y = 20.0 + HEAD
        self._open: list[tuple[float, int]] = []
        for line in drawn:
            self._draw(line)
        self._lifelines(titles)

    def document(self) -> str:
        self._canvas.reach(self._right + 12 * 2, self._y)
        return self._canvas.document(self._protocol.full_name)

    def _lifelines(self, titles: list[str]) -> None:
        bottom = self._y + ROW / 2
        for name, title in zip(self._names, titles, strict=True):
            x, width = self._x[name], len(title) * LETTER + 20
            self._canvas.behind.append(f'<path class="g" d="M{x:.0f} {20 + HEAD}V{bottom:.0f}"/>')
            self._canvas.box(x - width / 2, 20, width, HEAD, "s")
            self._canvas.text(x, 20 + HEAD / 2 + 4, title)
        self._y = bottom

    def _draw(self, line: Line) -> None:
        match line.kind:
            case "message":
                self._message(line)
            case "open":
                self._open.append((self._y + 8, line.depth))
                self._heading(line)
            case "else":
                self._y += 6
                inset = 12 * line.depth
                ends = (self._left - 20 + inset, self._y), (self._right - inset, self._y)
                self._canvas.line(*ends, kind="g d")
                self._heading(line)
            case "close":
                self._close()
            case "note":
                self._y += ROW
                self._canvas.text(self._left, self._y - 8, line.text, middle=False)

    def _heading(self, line: Line) -> None:
        words = f"{line.word if line.word != 'rect' else ''} {line.text}".strip()
        self._y += 28
        inset = 12 * line.depth
        self._canvas.text(self._left - 12 + inset, self._y - 6, words, middle=False)

    def _close(self) -> None:
        top, depth = self._open.pop()
        self._y += 10
        inset = 12 * depth
        left, right = self._left - 20 + inset, self._right - inset
        # The outer frame closes last and must lie behind the inner ones.
        self._canvas.behind.insert(0, _frame(left, top, right - left, self._y - top))

    def _message(self, line: Line) -> None:
        sender, receiver = line.sender.split("[")[0], line.receiver.split("[")[0]
        part = ", ".join(r for r in (line.sender, line.receiver) if "[" in r)
        words = f"{line.text} ({part})" if part else line.text
        others = [name for name in self._names if name != sender]
        for target in others if receiver == "*" else [receiver]:
            self._y += ROW
            self._arrow(self._x[sender], self._x[target], words)

    def _arrow(self, start: float, end: float, words: str) -> None:
        kind = "l d" if words.startswith("@") else "l"
        if start == end:
            loop = f"M{start:.0f} {self._y - 10:.0f}h30v10h-28"
            self._canvas.path(loop, kind=kind, arrow=True)
            self._canvas.text(start + 38, self._y - 3, words, middle=False)
            return
        self._canvas.line((start, self._y), (end, self._y), kind=kind, arrow=True)
        self._canvas.text((start + end) / 2, self._y - 6, words)


def _frame(x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="b" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'rx="3"/>'
    )
