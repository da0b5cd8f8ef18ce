"""Which instances a role reference means, and into which classes a family falls.

Sizes and bounds are integers once they are bound and names before. Two instances of a family
are in one class when every reference of the protocol names both or neither, so that a family
of 10 000 projects to as many machines as one of three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .machine import Peer
from .tree import At, Index, Protocol, Range, RoleRef

Bound = int | str
SHIFTED = re.compile(r"(.*?)([+-]\d+)?")


@dataclass(frozen=True, slots=True)
class Class:
    """The instances `start..stop` of a family, or a plain role (both None).

    `first` and `last` are positions in the family's cuts: what `covers` compares.
    """

    role: str
    start: Bound | None = None
    stop: Bound | None = None
    position: int = 0


class Unordered(Exception):
    """Two bounds of one family whose order nobody knows before `names` are bound."""

    def __init__(self, role: str, bounds: Iterable[str]) -> None:
        names = (_parts(bound)[0] for bound in bounds)
        self.role = role
        self.names = tuple(dict.fromkeys(role if name == "*" else name for name in names))
        super().__init__(role, self.names)


class Instances:
    """The families of one protocol under some bindings."""

    def __init__(self, protocol: Protocol, bindings: Mapping[str, int]) -> None:
        self._bindings = bindings
        self.sizes: dict[str, Bound | None] = {}
        for declared in protocol.roles:
            size = declared.size
            if size == "*":
                size = bindings.get(declared.name, "*")
            elif isinstance(size, str):
                size = bindings.get(size, bindings.get(declared.name, size))
            self.sizes[declared.name] = size
        self._named_sizes = {
            declared.size: self.sizes[declared.name]
            for declared in protocol.roles
            if isinstance(declared.size, str) and declared.size != "*"
        }
        self._plain = {role.name: Peer(role.name) for role in protocol.roles}
        self._cuts: dict[str, list[Bound]] = {}

    def value(self, index: Index) -> Bound:
        """An index as an integer, or as text where its name is not bound yet."""
        if not index.name:
            return index.offset
        known = self._bindings.get(index.name, self._named_sizes.get(index.name))
        if isinstance(known, int):
            return known + index.offset
        return str(index)

    def peer(self, ref: RoleRef) -> Peer:
        """The instances that `ref` means; a free variable means each of them."""
        size = self.sizes[ref.role]
        selector = ref.selector
        if selector is None and size is None:
            return self._plain[ref.role]
        if isinstance(selector, Range):
            return Peer(ref.role, self.value(selector.start), self.value(selector.stop))
        if isinstance(selector, At):
            if not self.is_free(selector.index.name):
                return Peer(ref.role, self.value(selector.index))
            if selector.index.offset:
                return Peer(ref.role, *_shifted(size, selector.index.offset))
        return Peer(ref.role, 0, size, every=True)

    def is_free(self, name: str) -> bool:
        """Whether an index name is nobody's size or bound."""
        return bool(name) and name not in self._bindings and name not in self._named_sizes

    def cut(self, parties: Iterable[Peer]) -> None:
        """Divide every family at the bounds that `parties` use.

        Raises `Unordered` where the order of two bounds depends on a binding.
        """
        bounds: dict[str, set[Bound]] = {}
        for peer in parties:
            if peer.start is None:
                continue
            used = bounds.setdefault(peer.role, set())
            used.update(b for b in (peer.start, peer.stop) if b is not None)
            if peer.stop is None and isinstance(peer.start, int):
                used.add(peer.start + 1)
        for role, size in self.sizes.items():
            if size is not None:
                self._cuts[role] = _ordered(role, size, bounds.get(role, set()))

    def classes(self, role: str) -> list[Class]:
        """The classes of `role` in index order; a plain role is one class."""
        if self.sizes[role] is None:
            return [Class(role)]
        cuts = self._cuts[role]
        return [Class(role, cuts[k], cuts[k + 1], k) for k in range(len(cuts) - 1)]

    def covers(self, peer: Peer, who: Class) -> bool:
        """Whether the instances of `who` are among those that `peer` means."""
        if peer.role != who.role:
            return False
        if who.start is None or peer.every:
            return True
        if peer.register:
            return False
        if peer.relative:
            return peer.start == 0
        cuts = self._cuts[who.role]
        start = peer.start
        assert start is not None
        if start not in cuts:
            return False  # a round written out for another role; `who` never comes there
        first = cuts.index(start)
        if peer.stop is None:
            return first == who.position
        return first <= who.position < cuts.index(peer.stop)


def less(bound: Bound, amount: int) -> Bound:
    """`bound - amount`, as text while it is open."""
    if isinstance(bound, int):
        return bound - amount
    name, offset = _parts(bound)
    return f"{name}{offset - amount:+d}" if offset != amount else name


def _parts(bound: str) -> tuple[str, int]:
    """The name in an open bound, and what is added to it."""
    found = SHIFTED.fullmatch(bound)
    assert found is not None, "fits any text"
    return found[1], int(found[2] or 0)


def _shifted(size: Bound | None, offset: int) -> tuple[Bound, Bound]:
    """The instances that `W[i+offset]` means where `i` is each index of W."""
    assert size is not None, "checked by wellformed"
    if offset < 0:
        stop = less(size, -offset)
        return 0, max(stop, 0) if isinstance(stop, int) else stop
    return (min(offset, size) if isinstance(size, int) else offset), size


def _ordered(role: str, size: Bound, used: set[Bound]) -> list[Bound]:
    """0, the bounds in ascending order, the size.

    One symbolic bound between 0 and the size needs no value; integers inside a family of
    unknown size, or two symbols, do.
    """
    inner = used - {0, size}
    numbers = sorted(b for b in inner if isinstance(b, int))
    names = sorted(b for b in inner if isinstance(b, str))
    if len(names) > 1 or (names and numbers):
        raise Unordered(role, names)
    if isinstance(size, int):
        numbers = [n for n in numbers if 0 < n < size]
    return [0, *numbers, *names, size]
