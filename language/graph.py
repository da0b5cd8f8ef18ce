"""The global graph: a protocol with its calls followed, its loops closed and its families resolved.

Nodes are numbered; an edge is a number. A branch, a loop head or a call that recurs is an edge
back, so a projection never unfolds anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from .machine import Peer
from .timing import Bound, Lane
from .tree import Expr, Node, RoleRef, Send


@dataclass(slots=True)
class Limits:
    """The times until which the sender and the receiver must have done their parts of a message,
    and the branches of `parallel` that it is in."""

    sender: tuple[Bound, ...]
    receiver: tuple[Bound, ...]
    lane: Lane


class Comm(Struct, gc=False):
    """`sender -> receiver`. `sends` or `receives` is off in the halves of a message that a
    family sends to itself: there every instance first sends and then receives."""

    sender: Peer
    receiver: Peer
    statement: Send
    step: int
    next: int
    sends: bool = True
    receives: bool = True
    broadcast: bool = False
    timing: Limits | None = None


class Way(Struct, gc=False):
    """One branch of a choice. `late` marks the one for which its clock has to have passed."""

    label: str
    guard: Expr | None
    entry: int
    late: bool = False


class Branching(Struct, gc=False):
    """A choice at `chooser`. `looping` marks the again-or-stop of a loop that a role decides,
    `members` are those of its place (`scope.Scope`). `limit` is set where one of the ways is a timeout."""

    chooser: Peer
    ways: tuple[Way, ...]
    key: tuple[object, ...]
    statement: Node
    looping: bool = False
    members: Mapping[str, tuple[RoleRef, ...]] = {}
    limit: Bound | None = None


@dataclass(slots=True)
class Count:
    """A counted loop's entry (`enters`) or head; see `machine.Counter`.

    `site` is where it was compiled, so that a first iteration can be peeled off it.
    """

    loop: int
    enters: bool
    count: int | str
    body: int
    exit: int
    site: object
    first: int | str = 0


@dataclass(slots=True)
class Each:
    """`foreach`. For the instances that its variable names, by role and offset in `offsets`, it
    is the one or two rounds they are in (`Flow.rounds`); for all others it is `loop`."""

    loop: int
    exit: int
    offsets: Mapping[str, frozenset[int]]
    start: int | str
    stop: int | str
    site: object


@dataclass(slots=True)
class Fork:
    """`parallel`: all of `entries` run, each to the `Join` numbered `join`."""

    entries: tuple[int, ...]
    join: int


class Join(Struct, gc=False):
    next: int


class Goto(Struct, gc=False):
    """`clock`, where it is set, is that of a block, which is entered here."""

    next: int
    clock: int = 0


@dataclass(slots=True)
class End:
    """The protocol is over."""


GlobalNode = Comm | Branching | Count | Each | Fork | Join | Goto | End


def successors(node: GlobalNode) -> tuple[int, ...]:
    """The numbers of the nodes that can come directly after `node`."""
    match node:
        case Comm() | Join() | Goto():
            return (node.next,)
        case Branching():
            return tuple(way.entry for way in node.ways)
        case Count():
            return (node.body, node.exit)
        case Each():
            return (node.loop, node.exit)
        case Fork():
            return node.entries
        case End():
            return ()


def between(nodes: Sequence[GlobalNode], entry: int, join: int) -> Iterator[int]:
    """The numbers of the nodes of a branch of `parallel`, from its entry on, without the join."""
    seen = {join}
    waiting = [entry]
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            yield number
            waiting.extend(successors(nodes[number]))
