"""Where a program is on its way through its machine, while the two are held to each other."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ...language.monitor import Monitor, Whom
from ...language.table import Step
from .listening import Heard
from .operations import ANYONE
from .stages import Pick


class Strand(NamedTuple):
    """As in the interpreter. `rounds` are those of the loops that are entered."""

    position: int
    rounds: tuple[tuple[int, int], ...] = ()
    hits: frozenset[int] = frozenset()
    pending: Heard | None = None
    children: tuple[Strand, ...] = ()
    join: int = 0
    done: bool = False

    def at(self, position: int, *, pending: Heard | None = None) -> Strand:
        return self._replace(position=position, pending=pending)


class Point(NamedTuple):
    """A program somewhere on its way. `chosen` is the branch announced and not yet begun."""

    monitor: Monitor
    strand: Strand
    chosen: str
    trail: Trail | None

    def key(self) -> tuple[object, ...]:
        return (self.monitor.place, self.strand, self.chosen)


class Trail(NamedTuple):
    """The steps so far, the last one first."""

    step: str
    before: Trail | None

    @staticmethod
    def steps(trail: Trail | None) -> list[str]:
        found: list[str] = []
        while trail is not None:
            found.append(trail.step)
            trail = trail.before
        return found[::-1]


Placed = tuple[tuple[int, ...], Strand]
"""A strand, and the way to it from the outermost."""


def whom_of(name: str) -> Whom | None:
    """`"Role"` or `"Role[2]"`; None for whoever it is."""
    role, bracket, index = name.partition("[")
    number = index.removesuffix("]")
    if name == ANYONE:
        return None
    return Whom(role, int(number)) if bracket and number.isdigit() else Whom(role)


def put(strand: Strand, path: tuple[int, ...], changed: Strand) -> Strand:
    if not path:
        return changed
    children = list(strand.children)
    children[path[0]] = put(children[path[0]], path[1:], changed)
    return strand._replace(children=tuple(children))


def along(point: Point, route: Collection[Step]) -> Point:
    """The point after the steps of `route`."""
    monitor, trail = point.monitor.copy(), point.trail
    for step in route:
        monitor.advance(step)
        trail = Trail(str(step), trail)
    return point._replace(monitor=monitor, trail=trail)


def broadcast(point: Point, first: Step) -> Point:
    """The point after the rest of the broadcast that `first` begins, as the endpoint sends it."""
    told = {first.peer_role}
    while first.action.broadcast:
        following = next(
            (
                step
                for step in point.monitor.sends()
                if step.label == first.label
                and step.action.broadcast
                and step.action.step == first.action.step
                and step.peer_role not in told
            ),
            None,
        )
        if following is None:
            break
        told.add(following.peer_role)
        point = along(point, [following])
    return point


def arm_for(stage: Pick, message: Heard) -> tuple[str, Heard | None] | None:
    """The arm for a message, and what of it is still to be received there."""
    for number, branch in enumerate(message.branches):
        if branch in stage.arms:
            return branch, message._replace(branches=message.branches[number + 1 :])
    if message.label in stage.arms:
        return message.label, message
    return None
