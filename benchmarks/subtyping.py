"""Asynchronous subtyping of hand-optimised machines: the families of Cutner, Yoshida and Vassor
(PPoPP 2022, section 4), in milliseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from pavane.language.local_types import parse_local
from pavane.language.subtyping import refines
from pavane.language.system import Automaton

from .measure import Figure

RUNS = 15
Pair = tuple[Automaton, Automaton]


def stream(values: int) -> list[Pair]:
    """A source that sends `values` values before it waits for the first of as many requests."""
    original = "rec X . T?ready ; +{ T!value ; X, T!stop ; end }"
    ahead = "T!value ; " * values
    owed = "T?ready ; " * values
    candidate = f"{ahead} rec X . T?ready ; +{{ T!value ; X, T!stop ; {owed} end }}"
    return [(parse_local(candidate), parse_local(original))]


def double_buffering(readies: int) -> list[Pair]:
    """A kernel that asks its source for `readies` more buffers than it has copied."""
    original = "rec X . S!ready ; S?copy ; T?ready ; T!copy ; X"
    candidate = "S!ready ; " * readies + original
    return [(parse_local(candidate), parse_local(original))]


def ring(roles: int) -> list[Pair]:
    """Every role but the first sends on before it has received."""
    pairs = list[Pair]()
    for place in range(roles):
        before, after = f"R{(place - 1) % roles}", f"R{(place + 1) % roles}"
        waits = f"rec X . {before}?v ; +{{ {after}!v ; X, {after}!w ; X }}"
        sends = f"rec X . +{{ {after}!v ; {before}?v ; X, {after}!w ; {before}?v ; X }}"
        first = f"rec X . +{{ {after}!v ; {before}?v ; X, {after}!w ; {before}?v ; X }}"
        pairs.append((parse_local(sends), parse_local(waits if place else first)))
    return pairs


def nested_choice(depth: int) -> list[Pair]:
    """Trees with five branches to a level: the candidate chooses first and is asked then, the
    original is asked first; the candidate has fewer sends and more receives."""
    candidate = original = "end"
    for _ in range(depth):
        three = f"&[ ?r ; {candidate}, ?s ; {candidate}, ?u ; {candidate} ]"
        two = f"&[ ?r ; {candidate}, ?s ; {candidate} ]"
        candidate = f"+{{ !m ; {three}, !p ; {two} }}"
        many = f"+{{ !m ; {original}, !p ; {original}, !q ; {original} }}"
        few = f"+{{ !m ; {original}, !p ; {original} }}"
        original = f"&[ ?r ; {many}, ?s ; {few} ]"
    return [(parse_local(candidate), parse_local(original))]


FAMILIES: dict[str, tuple[Callable[[], list[Pair]], float]] = {
    "subtyping, stream unrolled 100 times": (lambda: stream(100), 20),
    "subtyping, double buffering unrolled 100 times": (lambda: double_buffering(100), 50),
    "subtyping, ring of 30": (lambda: ring(30), 10),
    "subtyping, nested choice at depth 4": (lambda: nested_choice(4), 1000),
}


def milliseconds(pairs: list[Pair]) -> float:
    """The time of one check of all pairs, reading not counted."""
    begun = time.perf_counter()
    answers = [refines(candidate, original) for candidate, original in pairs]
    taken = (time.perf_counter() - begun) * 1000
    for answer in answers:
        assert answer.verdict == "yes", answer
    return taken


def figures() -> list[Figure]:
    """The median of each family."""
    found = list[Figure]()
    for name, (build, wanted) in FAMILIES.items():
        pairs = build()
        ours = statistics.median(milliseconds(pairs) for _ in range(RUNS))
        found.append(Figure(name, ours, wanted, wanted / ours, 1.0, "ms"))
    return found


if __name__ == "__main__":
    for figure in figures():
        figure.show()
