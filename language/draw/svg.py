"""SVG without any program to lay it out: sequence diagrams and machines.

Plain shapes and one style sheet, readable on light and dark pages; widths are reckoned from
the number of letters in a fixed-width font.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

LETTER = 7.3
"""The width of a letter in pixels, at the 12 pixels of the style sheet."""

STYLE = (
    "svg{background:#fff}text{font:12px ui-monospace,monospace;fill:#222}"
    ".l{fill:none;stroke:#222;stroke-width:1.2}.d{stroke-dasharray:4 3}.b{fill:#f4f4f8;stroke:#99a}"
    ".t{fill:#e4e4ee;stroke:#99a}.s{fill:#fff;stroke:#222;stroke-width:1.2}.m{text-anchor:middle}"
    ".g{fill:none;stroke:#99a}"
)
ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#222"/></marker></defs>'
)


@dataclass(slots=True)
class Canvas:
    """Collects elements; the size grows with what is put on it."""

    parts: list[str] = field(default_factory=list[str])
    behind: list[str] = field(default_factory=list[str])
    width: float = 0
    height: float = 0

    def reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def text(self, x: float, y: float, words: str, *, middle: bool = True) -> None:
        half = len(words) * LETTER / (2 if middle else 1)
        self.reach(x + half, y + 4)
        kind = ' class="m"' if middle else ""
        self.parts.append(f'<text{kind} x="{x:.0f}" y="{y:.0f}">{escape(words)}</text>')

    def line(self, *points: tuple[float, float], kind: str = "l", arrow: bool = False) -> None:
        """A straight line through all points."""
        path = "L".join(f"{x:.0f} {y:.0f}" for x, y in points)
        self.path(f"M{path}", kind=kind, arrow=arrow)
        for x, y in points:
            self.reach(x, y)

    def path(self, data: str, *, kind: str = "l", arrow: bool = False) -> None:
        end = ' marker-end="url(#a)"' if arrow else ""
        self.parts.append(f'<path class={quoteattr(kind)} d="{data}"{end}/>')

    def box(
        self, x: float, y: float, width: float, height: float, kind: str, *, back: bool = False
    ) -> None:
        """A rectangle; `back` puts it behind everything else."""
        self.reach(x + width, y + height)
        where = self.behind if back else self.parts
        where.append(
            f'<rect class={quoteattr(kind)} x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" rx="3"/>'
        )

    def circle(self, x: float, y: float, radius: float) -> None:
        self.reach(x + radius, y + radius)
        self.parts.append(f'<circle class="s" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"/>')

    def document(self, title: str) -> str:
        width, height = self.width + 20, self.height + 20
        body = "\n".join([f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", ARROW])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">\n{body}\n'
            + "\n".join([*self.behind, *self.parts])
            + "\n</svg>"
        )


def letters(words: Iterable[str]) -> float:
    """The width in pixels of the longest of `words`."""
    return max((len(word) for word in words), default=0) * LETTER
