"""Which capabilities and flow budgets the roles of a runtime get."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..broker.subjects import DEFAULT_NAMESPACE
from ..effects.budget import Budgets
from .cast import Cast

PLENTY = 10**12
"""The flow budget of a role that nobody limits."""


class Grants:
    """`capabilities` and `limits` by role; they take the place of a role's default."""

    def __init__(
        self, capabilities: Mapping[str, Collection[str]], limits: Mapping[str, int]
    ) -> None:
        self._capabilities = dict(capabilities)
        self._limits = dict(limits)
        self._funded: set[tuple[str, str]] = set()

    def capabilities(self, cast: Cast, role: str) -> Collection[str]:
        """What `role` may do: as granted, or exactly what its own steps ask for."""
        if role in self._capabilities:
            return self._capabilities[role]
        return cast.guards[role]

    async def fund(self, budgets: Budgets, cast: Cast, played: Collection[str]) -> None:
        """Make sure that every role `played` here that is charged has a budget; once for each.

        A limit given is set; without one, a budget that exists stays as it is.
        """
        context = f"{cast.namespace or DEFAULT_NAMESPACE}.{cast.name}"
        for role in cast.charged:
            if (context, role) in self._funded or not (role in played or role in self._limits):
                continue
            limit = self._limits.get(role)
            if limit is not None or await budgets.level(context, role) is None:
                await budgets.define(context, role, PLENTY if limit is None else limit)
            self._funded.add((context, role))
