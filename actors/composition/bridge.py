"""Capabilities of one system as those of another: by a table, and by nothing but the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...effects.capability.tokens import NAME, qualified
from .errors import CapabilityNotBridged


@dataclass(frozen=True, slots=True)
class Bridged:
    """What a holder of the capabilities `original` may do on the other side. Full names."""

    original: frozenset[str]
    mapped: frozenset[str]

    def require(self, needed: Collection[str]) -> None:
        """Raise `CapabilityNotBridged` unless all these full names are among the mapped."""
        missing = frozenset(needed) - self.mapped
        if missing:
            raise CapabilityNotBridged(
                missing,
                "what the caller holds is not bridged to it",
                hint="let the caller hold a capability that the table maps to it",
            )


class CapabilityBridge:
    """`table` says for each capability what it is on the other side: one name, several, or none.

        CapabilityBridge({"read": "quotes.read", "trade": ["quotes.read", "orders.place"]},
                         source="legacy", target="modern")

    Bare names belong to the namespaces `source` and `target`. Nothing is guessed from names, so
    whoever holds less gets no more, and who holds nothing gets nothing. Raises
    `CapabilityNotBridged` for what cannot be a capability's name.
    """

    def __init__(
        self, table: Mapping[str, str | Collection[str]], *, source: str = "", target: str = ""
    ) -> None:
        self.source = source
        self._table: dict[str, frozenset[str]] = {}
        for name, given in table.items():
            meant = (given,) if isinstance(given, str) else given
            images = frozenset(_checked(one, target) for one in meant)
            own = _checked(name, source)
            if self._table.setdefault(own, images) != images:
                raise CapabilityNotBridged(
                    (own,), "stands in the table twice", hint="write it once, with or without `:`"
                )

    @property
    def reach(self) -> frozenset[str]:
        """All that anybody could get through it."""
        return frozenset[str]().union(*self._table.values())

    def bridge(self, capabilities: Collection[str]) -> Bridged:
        """What these are on the other side. Raises `CapabilityNotBridged` for those that are not
        in the table; then none is bridged."""
        held = frozenset(qualified(name, self.source) for name in capabilities)
        unknown = held - self._table.keys()
        if unknown:
            raise CapabilityNotBridged(
                unknown,
                "the bridge does not know it",
                hint="let the table say what it is on the other side; [] for nothing",
            )
        return Bridged(held, frozenset[str]().union(*(self._table[name] for name in held)))


def _checked(name: str, namespace: str) -> str:
    if not NAME.fullmatch(name):
        raise CapabilityNotBridged(
            (name[:80],), "it is no name of a capability", hint="write namespace:name, or a name"
        )
    return qualified(name, namespace)
