"""Every published figure, each measured in a process of its own.

    python benchmarks/run.py             prints a table, writes benchmarks/results.json
    python -m benchmarks.stream          one figure alone

Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
FIGURES = (
    "stream",
    "ask",
    "startup",
    "sessions",
    "broadcast",
    "journal",
    "memory",
    "loop",
    "growth",
    "monitor",
    "capability",
    "charges",
    "workers",
    "simulation",
    "steps",
    "durable",
    "annotated",
    "projection",
    "subtyping",
)


def measure(name: str) -> list[dict[str, Any]]:
    """The figures of one module, which prints each on a line of its own.

    Raises `CalledProcessError` when they could not be taken; the reason is on stderr.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, cwd=HERE.parent, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(figures: list[dict[str, Any]]) -> Table:
    shown = Table(title="Pavane against what it stands on", box=SIMPLE_HEAD, pad_edge=False)
    shown.add_column("figure", min_width=22)
    for column in ("ours", "to compare", "ratio", "goal"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("unit", min_width=13)
    for f in figures:
        met = "green" if f["ratio"] >= f["goal"] else "red"
        goal = f"{f['goal']:.2f}" if f["goal"] else ""
        shown.add_row(
            f["name"], number(f["ours"]), number(f["theirs"]),
            f"[{met}]{f['ratio']:.2f}[/{met}]", goal, f["unit"],
        )  # fmt: skip
    return shown


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def main() -> int:
    figures: list[dict[str, Any]] = []
    console = Console()
    for name in FIGURES:
        with console.status(f"measuring {name}"):
            figures += measure(name)
    console.print(table(figures))
    results = {f.pop("name"): f for f in figures}
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(f["ratio"] >= f["goal"] for f in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
