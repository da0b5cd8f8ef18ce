"""How the instances of a role are divided into units of work."""

from __future__ import annotations

from collections.abc import Iterator

SHARES = 64
"""Into how many blocks a family is divided: enough for as many workers to share it evenly, and
few enough that ten thousand instances start in seconds."""

LARGEST = 250
"""Instances in the largest block: what moves to another worker at once."""


def blocks(size: int | None) -> Iterator[tuple[int, int]]:
    """First instance and end of each block of a family of `size`, or of a plain role (None).

    Families of up to `SHARES` instances have one unit for each; larger ones blocks of equal
    length, but for the last.
    """
    count = size or 1
    length = min(-(-count // SHARES), LARGEST)
    for start in range(0, count, length):
        yield start, min(start + length, count)
