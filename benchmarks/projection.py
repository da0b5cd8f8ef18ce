"""Checking and projecting, after parsing: each protocol against the time it may take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from pavane.language.knowledge import elaborate
from pavane.language.parser import parse
from pavane.language.wellformed import check

from .measure import Figure

RUNS = 7


def fan_out(workers: int, labels: int) -> str:
    """A chooses a label and tells every worker."""
    names = [f"W{n}" for n in range(workers)]
    branches = " ".join(
        f"b{label}: {{ {' '.join(f'A -> {name}: M{label};' for name in names)} }}"
        for label in range(labels)
    )
    return f"protocol Fan {{ roles: A, {', '.join(names)}; choice A {{ {branches} }} }}"


def nested_choice(depth: int) -> str:
    """Two branches, each with two branches, `depth` deep."""
    body = ""
    for level in range(depth):
        left, right = (f"A -> B: {x}{level}; B -> C: {x}{level};" for x in "LR")
        body = f"choice A {{ l: {{ {left} {body} }} r: {{ {right} {body} }} }}"
    return f"protocol Nested {{ roles: A, B, C; {body} }}"


def ring(nodes: int) -> str:
    """Every node is a role of its own."""
    names = [f"N{n}" for n in range(nodes)]
    steps = " ".join(f"{names[n]} -> {names[(n + 1) % nodes]}: Token;" for n in range(nodes))
    return f"protocol Ring {{ roles: {', '.join(names)}; {steps} }}"


def straight(steps: int) -> str:
    """One message after the other among ten roles."""
    body = " ".join(f"R{n % 10} -> R{(n + 1 + n // 10 % 9) % 10}: M{n};" for n in range(steps))
    return f"protocol Straight {{ roles: {', '.join(f'R{n}' for n in range(10))}; {body} }}"


def family(size: int) -> str:
    """Scatter, gather, and a part of the family."""
    steps = "L -> W[*]: Task; W[i] -> L: Result; W[0..2] -> L: Share;"
    return f"protocol Family {{ roles: L, W[{size}]; {steps} }}"


def milliseconds(work: Callable[[], object]) -> float:
    """The median of several runs."""
    taken = list[float]()
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(taken)


def checked_and_projected(text: str) -> float:
    (protocol,) = parse(text).protocols

    def work() -> None:
        refused = [d for d in check(protocol) if d.severity == "error"]
        assert not refused and not elaborate(protocol, {}).diagnostics, refused

    return milliseconds(work)


def within(name: str, text: str, limit: float) -> Figure:
    took = checked_and_projected(text)
    return Figure(name, took, limit, limit / took, 1.0, "ms")


def figures() -> list[Figure]:
    small, large = checked_and_projected(family(3)), checked_and_projected(family(10_000))
    text = straight(10_000)
    whole = milliseconds(lambda: parse(text)) + checked_and_projected(text)
    return [
        within("project: fan-out of 32 with 16 labels", fan_out(32, 16), 15),
        within("project: nested choice, 8 deep", nested_choice(8), 20),
        within("project: ring of 64 roles", ring(64), 5),
        within("project: 500 steps", straight(500), 25),
        Figure(
            "parse and project: 10 000 steps",
            whole,
            3000,
            3000 / whole,
            1.0,
            "ms",
        ),
        Figure("project: a family of 10 000 against 3", large, small, small / large, 0.8, "ms"),
    ]


if __name__ == "__main__":
    for figure in figures():
        figure.show()
