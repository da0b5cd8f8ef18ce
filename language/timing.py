"""What time has to do with a step: how long it may take, and when it may be taken at all.

A local machine with these is a timed automaton whose clocks are named by number and are
started by steps (Bocchi, Yang and Yoshida, Timed Multiparty Session Types, CONCUR 2014). Machines
of protocols without a timeout have none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

Lane = tuple[tuple[int, int], ...]
"""The branches of `parallel` around a step: (which `parallel`, which of its branches)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A moment: `seconds` after `clock` was started. `block` marks the time of a whole block."""

    clock: int
    seconds: float
    block: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one step at one role.

    `bounds` are the moments until which it has to be taken, once it is the role's only way on.
    `opens` and `closes` are those from and until which it may be taken, as a branch of a choice
    with a timeout. `starts` are the clocks that begin anew when it is taken.
    """

    bounds: tuple[Bound, ...] = ()
    opens: tuple[Bound, ...] = ()
    closes: tuple[Bound, ...] = ()
    starts: tuple[int, ...] = ()
    lane: Lane = ()

    @property
    def clocks(self) -> Iterable[int]:
        """The clocks that this step is measured by."""
        return (bound.clock for bound in (*self.bounds, *self.opens, *self.closes))

    @property
    def late(self) -> float:
        """Seconds from which on the step may be taken, as a timeout branch; 0 for any other."""
        return max((bound.seconds for bound in self.opens), default=0.0)


UNTIMED = Timing()


def windowed(
    timing: Timing | None, opens: tuple[Bound, ...], closes: tuple[Bound, ...]
) -> Timing | None:
    """The timing of a step that is the first of a branch, with the times of the branch."""
    if not opens and not closes:
        return timing
    known = timing or UNTIMED
    return replace(known, opens=(*opens, *known.opens), closes=(*closes, *known.closes))


def joined(one: Timing | None, other: Timing | None) -> Timing | None:
    """The timing of a step that is the same in two continuations, of which the role does not
    know which it is in: it keeps what both allow. None where both have none."""
    if one == other:
        return one
    left, right = one or UNTIMED, other or UNTIMED
    starts = tuple(sorted({*left.starts, *right.starts}))
    lane = tuple(a for a, b in zip(left.lane, right.lane, strict=False) if a == b)
    bounds = _common(left.bounds, right.bounds)
    return Timing(bounds, left.opens, left.closes, starts, lane)


def _common(left: tuple[Bound, ...], right: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """Blocks that both are in, and the longer of the two times of the step alone."""
    blocks = tuple(bound for bound in left if bound.block and bound in right)
    alone = [bound for bound in left if not bound.block]
    longest = max((bound.seconds for bound in right if not bound.block), default=0.0)
    if not longest:
        return blocks
    return blocks + tuple(replace(b, seconds=max(b.seconds, longest)) for b in alone)


def concurrent(one: Lane, other: Lane) -> bool:
    """Whether two steps stand in different branches of one `parallel`."""
    for (fork, branch), (other_fork, other_branch) in zip(one, other, strict=False):
        if fork != other_fork:
            return False
        if branch != other_branch:
            return True
    return False


def times(timing: Timing | None) -> Iterator[tuple[str, float]]:
    """In seconds, `after` and `before` for a branch of a choice with a timeout, counted from when
    the choice is reached; `within` for a step, counted from when it is the next; `block` for the
    blocks that it is in, the shortest."""
    known = timing or UNTIMED
    if known.opens:
        yield "after", known.late
    if known.closes:
        yield "before", min(bound.seconds for bound in known.closes)
    for word, block in (("within", False), ("block", True)):
        bounds = [bound.seconds for bound in known.bounds if bound.block is block]
        if bounds:
            yield word, min(bounds)


def duration(seconds: float) -> str:
    """`5s`, `250ms`, `1h`: the shortest way to write a time."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
