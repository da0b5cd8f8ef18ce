"""Both versions projected with the same counts, which nobody may have written by chance.

Were an open count given a value that one version writes as a number, `count: N` and `count: 3`
would seem the same. So the values are numbers that neither text holds, as long as those fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..compiler import Compiled
from ..errors import ChoreographyError
from ..projection import Projection

SMALL = 64
"""Larger numbers in a text are costs and the like, not the sizes of what is compared."""


def projected(
    old: Compiled, new: Compiled, given: Mapping[str, int]
) -> tuple[Projection, Projection, dict[str, int]]:
    """The projections and what was bound. Raises what projecting raises when no counts fit."""
    refused: ChoreographyError | None = None
    for bound in _candidates(old, new, given):
        try:
            return _with(old, bound), _with(new, bound), bound
        except ChoreographyError as error:
            refused = refused or error
    assert refused is not None, "there is a candidate"
    raise refused


def _with(compiled: Compiled, bound: Mapping[str, int]) -> Projection:
    known = compiled.bindable
    return compiled.project({name: value for name, value in bound.items() if name in known})


def _candidates(old: Compiled, new: Compiled, given: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Uncommon numbers first; where bounds are small, small ones."""
    written = {int(n) for n in re.findall(r"\d{1,5}", old.text + new.text)}
    bounds = sorted(old.open_bounds | new.open_bounds)
    sizes = _same(old.open_counts, new.open_counts)
    fresh = _fresh(written, bounds, 3)
    least = max([0, *(n for n in written if n <= SMALL), *fresh.values()]) + 2
    numbers = _fresh(written, sorted(set(sizes.values())), least)
    large = {name: numbers[first] for name, first in sizes.items()}
    yield _complete(old, new, {**large, **fresh}, given)
    for start in (1, 2):
        yield _complete(old, new, {**large, **_fresh(written, bounds, start)}, given)
    for value in (1, 2):
        yield _complete(old, new, {**large, **dict.fromkeys(bounds, value)}, given)


def _same(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """For the name of each open size the first of those that one family, or several that share a
    name, make equal: a family may be `W[N]` in one version and `W[M]` in the other."""
    group = {name: name for name in (*old.values(), *new.values())}
    for role in old.keys() & new.keys():
        low, high = sorted((group[old[role]], group[new[role]]))
        group = {name: low if first == high else first for name, first in group.items()}
    return group


def _fresh(written: set[int], names: list[str], start: int) -> dict[str, int]:
    """Numbers from `start` up that are not `written`, a different one for each name."""
    found: dict[str, int] = {}
    number = start
    for name in names:
        while number in written:
            number += 1
        found[name] = number
        number += 1
    return found


def _complete(
    old: Compiled, new: Compiled, chosen: dict[str, int], given: Mapping[str, int]
) -> dict[str, int]:
    """What was given, by whatever name, before what was chosen."""
    bound = dict(given)
    for role, name in (*old.open_counts.items(), *new.open_counts.items()):
        if role in given:
            bound.setdefault(name, given[role])
    return {**chosen, **bound}
