"""Whether every payload of one declaration is one of another."""

from __future__ import annotations

from ..meaning import parts_of, takes
from ..tree import Message


def fits(one: Message, other: Message) -> bool:
    """Whether whoever takes `other` can take `one`: the same parts, each of a type that fits."""
    own, theirs = parts_of(one), parts_of(other)
    if [name for name, _ in own] != [name for name, _ in theirs]:
        return False
    return all(
        takes(wider, narrower) for (_, narrower), (_, wider) in zip(own, theirs, strict=True)
    )
