"""Suggestions for names that were probably mistyped."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = re.compile(r"[0-9]+")


def distance(left: str, right: str, limit: int = 2) -> int:
    """Edits (insert, delete, replace, swap neighbours) between two words, at most `limit` + 1.

    The optimal string alignment distance; gives up as soon as it must exceed `limit`.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def nearest(word: str, known: Iterable[str], limit: int = 2) -> str | None:
    """The known word within `limit` edits that is nearest, or None.

    Words too short to tell a typing error from another word have no neighbours, and words
    that differ in their numbers only (`R1`, `R2`) are different words.
    """
    allowed = min(limit, (len(word) + 1) // 3)
    plain = _DIGITS.sub("", word)
    others = {other for other in known if _DIGITS.sub("", other) != plain}
    scored = sorted((distance(word, other, allowed), other) for other in others)
    return scored[0][1] if scored and scored[0][0] <= allowed else None
