"""What an index variable of a `foreach` stands for, and which rounds an instance is in.

The rounds of a `foreach` come in index order at every role, and one in which some index would
lie outside its family does not take place. An instance of the family is in the rounds that name
it: for `W[i] -> W[i+1]` it receives in one and sends in the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .instances import Bound, Instances, less
from .machine import Peer
from .tree import At, Block, Call, Choice, Foreach, Index, Loop, Range, RoleRef, Send, Statement
from .walk import statements


@dataclass(frozen=True, slots=True)
class Own:
    """The variable is the instance's own index and `shift`."""

    shift: int
    variable: str

    def peer(self, role: str, offset: int) -> Peer:
        """The instance that `role[variable + offset]` is."""
        return Peer(role, self.shift + offset, relative=True, variable=self.variable)


@dataclass(frozen=True, slots=True)
class Turn:
    """The variable is the index of the round that the register `loop` counts."""

    loop: int
    variable: str

    def peer(self, role: str, offset: int) -> Peer:
        """The instance that `role[variable + offset]` is."""
        return Peer(role, offset, register=self.loop, variable=self.variable)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The variable is `index`: in a round that is written out."""

    index: int

    def peer(self, role: str, offset: int) -> Peer:
        """The instance that `role[variable + offset]` is."""
        return Peer(role, self.index + offset)


Meaning = Own | Turn | Fixed


def references(block: Block) -> Iterator[RoleRef]:
    """Every role reference inside `block`."""
    for statement in statements(block):
        yield from _named(statement)


def _named(statement: Statement) -> tuple[RoleRef, ...]:
    match statement:
        case Send():
            return (statement.sender, *((statement.receiver,) if statement.receiver else ()))
        case Choice():
            return (statement.chooser,)
        case Loop():
            return (statement.decider,) if statement.decider else ()
        case Call():
            return statement.arguments or ()
        case Foreach():
            return (statement.family,)
        case _:
            return ()


def variable(ref: RoleRef | None) -> str:
    """The name in `W[i+1]`, or nothing."""
    selector = ref.selector if ref else None
    return selector.index.name if isinstance(selector, At) else ""


def one_instance(ref: RoleRef, names: Collection[str]) -> str:
    """How to say that one instance of a family decides, where `names` can be bound."""
    name = variable(ref)
    bind = f", or give {name} a value: --bind {name}=0" if name in names else ""
    return f"name the instance: {ref.role}[0], or put it into foreach i in {ref.role}{bind}"


def offsets(block: Block, name: str) -> dict[str, frozenset[int]]:
    """By role the offsets with which `name` is used as an index inside `block`."""
    found: dict[str, set[int]] = {}
    for ref in references(block):
        if variable(ref) == name and isinstance(ref.selector, At):
            found.setdefault(ref.role, set()).add(ref.selector.index.offset)
    return {role: frozenset(values) for role, values in found.items()}


def mixed(block: Block, name: str, roles: Mapping[str, frozenset[int]]) -> RoleRef | None:
    """A reference to one of `roles` that is not indexed by `name`."""
    named = (ref for ref in references(block) if ref.role in roles)
    return next((ref for ref in named if variable(ref) != name), None)


def rounds(
    instances: Instances, start: Bound, stop: Bound, used: Mapping[str, frozenset[int]]
) -> tuple[Bound, Bound]:
    """The part of `start..stop` in which every index lies inside its family."""
    lowest = -min((o for values in used.values() for o in values), default=0)
    first = max(start, lowest) if isinstance(start, int) else start
    ends = [stop]
    for role, values in used.items():
        size = instances.sizes[role]
        assert size is not None, "checked by wellformed"
        ends.append(less(size, max(values)))
    return first, _smallest(ends)


Stretch = tuple[int, int]
"""Instances, from the first to before the last."""


def may_meet(one: Stretch | None, other: Stretch | None) -> bool:
    """Whether two stretches can have an instance in common. None is one that is not known."""
    if one is None or other is None:
        return True
    return one[0] < other[1] and other[0] < one[1]


def stretch(ref: RoleRef, known: Mapping[str, Stretch]) -> Stretch | None:
    """The instances that a reference surely stays within. `known` are those that index variables do."""
    match ref.selector:
        case At(index=Index(name="", offset=offset)):
            return offset, offset + 1
        case At(index=Index(name=name, offset=offset)) if name in known:
            first, stop = known[name]
            return first + offset, stop + offset
        case Range(start=Index(name="", offset=start), stop=Index(name="", offset=stop)):
            return start, stop
        case _:
            return None


class Channels(NamedTuple):
    """Between which instances of two roles a message goes: where the senders and the receivers are,
    and how far after its sender a receiver is, if that is always the same."""

    senders: Stretch | None = None
    receivers: Stretch | None = None
    shift: int | None = None

    def may_meet(self, other: Channels) -> bool:
        """Whether both can have a channel in common."""
        if self.shift is not None and other.shift is not None and self.shift != other.shift:
            return False
        return may_meet(self.senders, other.senders) and may_meet(self.receivers, other.receivers)


def shift(sender: RoleRef, receiver: RoleRef) -> int | None:
    """2 of `W[i] -> W[i+2]`; None where it depends on the instance."""
    one, other = sender.selector, receiver.selector
    if isinstance(one, At) and isinstance(other, At) and one.index.name == other.index.name:
        return other.index.offset - one.index.offset
    return None


def length(start: Bound, stop: Bound) -> Bound:
    """How many there are in `start..stop`, as text while a bound is open."""
    if isinstance(start, int) and isinstance(stop, int):
        return stop - start
    return f"{stop}-{start}" if start else stop


def _smallest(bounds: Sequence[Bound]) -> Bound:
    """The least bound; among open ones the one that something is taken off."""
    numbers = [b for b in bounds if isinstance(b, int)]
    names = sorted({b for b in bounds if isinstance(b, str)}, key=lambda b: ("-" not in b, b))
    if names and (not numbers or "-" in names[0]):
        return names[0]
    return min(numbers)


def is_paired(send: Send) -> str:
    """The free variable that ties the two sides of a message together, as in `W[i] -> V[i]` or
    `W[i] -> W[i+1]`; nothing where it only means each instance."""
    name = variable(send.sender)
    return name if name and name == variable(send.receiver) else ""
