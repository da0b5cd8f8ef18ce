"""`Scope`: how much authority there is; one is within another or widens it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType


@dataclass(frozen=True)
class Scope:
    """`capabilities` by full name, until `expires` (seconds since 1970).

    `bounds` are the most of something (`{"amount": 500}`) and `within` the values that an
    attribute may have (`{"region": {"eu"}}`): one that is not named is not limited. Not
    slotted, for its mappings are frozen when it is made.
    """

    capabilities: frozenset[str]
    expires: float = inf
    bounds: Mapping[str, int] = field(default_factory=dict[str, int])
    within: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", MappingProxyType(dict(self.bounds)))
        object.__setattr__(self, "within", MappingProxyType(dict(self.within)))

    def narrowed(
        self,
        *,
        capabilities: Collection[str] | None = None,
        expires: float = inf,
        bounds: Mapping[str, int] | None = None,
        within: Mapping[str, Collection[str]] | None = None,
    ) -> Scope:
        """What this scope and the given limits both allow: never more than this one."""
        named = self.capabilities if capabilities is None else frozenset(capabilities)
        bounded = dict(self.bounds)
        for name, bound in (bounds or {}).items():
            bounded[name] = min(bound, bounded.get(name, bound))
        inside = dict(self.within)
        for name, values in (within or {}).items():
            inside[name] = frozenset(values) & inside.get(name, frozenset(values))
        return Scope(self.capabilities & named, min(self.expires, expires), bounded, inside)

    def widened_by(self, other: Scope) -> str:
        """What `other` allows beyond this scope, in words; empty if nothing."""
        return ", ".join(self._widened(other))

    def _widened(self, other: Scope) -> Iterator[str]:
        yield from sorted(other.capabilities - self.capabilities)
        # Written so that a NaN, which is in no order, counts as wider.
        if not other.expires <= self.expires:
            yield "its expiry"
        for name, bound in self.bounds.items():
            if not other.bounds.get(name, inf) <= bound:
                yield f"the bound of {name}"
        for name, values in self.within.items():
            if name not in other.within or not other.within[name] <= values:
                yield f"the values of {name}"
