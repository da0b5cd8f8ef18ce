"""Which capabilities and budgets the roles of a runtime get, and what observers may learn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from ..broker.level import LIMIT_MAX
from ..broker.subjects import DEFAULT_NAMESPACE
from ..effects.capability.tokens import NAME
from ..effects.flow.budget import Budgets
from .cast import Cast
from .errors import InvalidGrant

PLENTY = 10**12
"""The flow budget of a role that nobody limits."""


class Grants:
    """`capabilities` and `limits` by role; they take the place of a role's default. `leakage` by
    class of observers; one that is not in it has what was defined elsewhere, or nothing. Raises
    `InvalidGrant`."""

    def __init__(
        self,
        capabilities: Mapping[str, Collection[str]] | None = None,
        limits: Mapping[str, int] | None = None,
        leakage: Mapping[str, int] | None = None,
    ) -> None:
        self._capabilities = {r: _names(r, given) for r, given in (capabilities or {}).items()}
        self._limits = {r: _limit("budgets", r, given) for r, given in (limits or {}).items()}
        self._leakage = {o: _limit("leakage", o, given) for o, given in (leakage or {}).items()}
        self._funded: set[tuple[str, str]] = set()
        self._disclosed: set[tuple[str, str]] = set()

    @property
    def roles(self) -> dict[str, Collection[str]]:
        """Who is named, by what he is given."""
        return {"grants": self._capabilities.keys(), "budgets": self._limits.keys()}

    def capabilities(self, cast: Cast, role: str) -> Collection[str]:
        """What `role` may do: as granted, or exactly what its own steps ask for."""
        if role in self._capabilities:
            return self._capabilities[role]
        return cast.guards[role]

    def lacking(self, guards: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
        """Of the capabilities that each role asks for, those that it is not granted."""
        return {
            role: tuple(sorted(set(asked).difference(self._capabilities.get(role, asked))))
            for role, asked in guards.items()
        }

    async def fund(self, budgets: Budgets, cast: Cast, played: Collection[str]) -> None:
        """Make sure that every role `played` here that is charged has a budget, and all observers
        of the protocol what was given for them; once for each.

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
        await self._disclose(budgets, context, cast.observers)

    async def _disclose(self, budgets: Budgets, context: str, observers: Collection[str]) -> None:
        """Set the leakage limits that were given for those whom this protocol tells something."""
        for observer in observers:
            if observer in self._leakage and (context, observer) not in self._disclosed:
                await budgets.define_leakage(context, observer, self._leakage[observer])
                self._disclosed.add((context, observer))


def _names(role: str, given: object) -> tuple[str, ...]:
    hint = f'write a list of names: grants={{"{role}": ["admin_access"]}}'
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise InvalidGrant("grants", role, f"is {given!r:.80}, no list", hint=hint)
    names: list[str] = []
    for name in cast(Collection[object], given):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InvalidGrant("grants", role, f"has {name!r:.80}, no capability", hint=hint)
        names.append(name)
    return tuple(names)


def _limit(what: str, name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= LIMIT_MAX:
        raise InvalidGrant(
            what,
            name,
            f"is {given!r:.80}, no whole number from 0 to {LIMIT_MAX}",
            hint=f'write a number: {what}={{"{name}": 1000}}',
        )
    return given
