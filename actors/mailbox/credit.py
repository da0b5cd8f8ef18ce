"""How far the listeners to a lane have come, as its sender knows it: runs of instances that are in
step. As long as all of a family are it is one run, however many they are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from .inlet import WINDOW


class Run(NamedTuple):
    """Instances `start` to `stop` have the messages up to `received` and allow those up to `credit`."""

    start: int
    stop: int
    received: int
    credit: int

    def more(self, start: int, stop: int, received: int, credit: int) -> Run:
        """The part from `start` to `stop`, which has come so far, if it had not before."""
        return Run(start, stop, max(self.received, received), max(self.credit, credit))


def _start(run: Run) -> int:
    return run.start


class Credit:
    """`lowest` is the credit of the slowest, `everywhere` what all have received.

    Both are brought up to date when the last of the slowest has moved.
    """

    __slots__ = ("_runs", "_slowest", "everywhere", "lowest")

    def __init__(self, listeners: Iterable[range], credit: int = WINDOW) -> None:
        self._runs = sorted(Run(each.start, each.stop, 0, credit) for each in listeners if each)
        self._look()

    def _look(self) -> None:
        runs = self._runs
        self.lowest = min([run.credit for run in runs], default=WINDOW)
        self.everywhere = min([run.received for run in runs], default=0)
        self._slowest = sum([r.stop - r.start for r in runs if r.credit == self.lowest])

    def tell(self, start: int, stop: int, received: int, credit: int) -> bool:
        """Listeners `start` to `stop` have the messages up to `received`, and allow those up to
        `credit`. Whether the slowest have moved."""
        runs = self._runs
        first = max(0, bisect_right(runs, start, key=_start) - 1)
        after = first
        changed: list[Run] = []
        while after < len(runs) and runs[after].start < stop:
            run = runs[after]
            after += 1
            low, high = max(start, run.start), min(stop, run.stop)
            if low >= high:
                changed.append(run)
                continue
            moved = run.more(low, high, received, credit)
            if run.credit == self.lowest < moved.credit:
                self._slowest -= high - low
            changed += [run._replace(stop=low), moved, run._replace(start=high)]
        before = runs[first - 1 : first] if first else []
        behind = runs[after : after + 1]
        runs[first - len(before) : after + len(behind)] = _joined([*before, *changed, *behind])
        if self._slowest or not runs:
            return False
        self._look()
        return True


def _joined(runs: Iterable[Run]) -> list[Run]:
    """The same, those together that touch and are in step; empty ones left out."""
    joined: list[Run] = []
    for run in runs:
        if run.start >= run.stop:
            continue
        last = joined[-1] if joined else None
        if last is not None and (last.stop, *last[2:]) == (run.start, *run[2:]):
            joined[-1] = last._replace(stop=run.stop)
        else:
            joined.append(run)
    return joined
