"""Whether a session can be played, asked before anything of it is put on the queue.

Every role needs a worker. One that serves the same version of the protocol will do, and so will
one whose version of the role can stand in for the session's (`language.compatibility`): it then
plays the session's own machine, which its function keeps to as it keeps to its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...broker.contract import Broker
from ...effects.pipeline.effect import CapabilityGuardEffect, effects_of
from ...language.compatibility import compare
from ...language.compiler import Compiled
from . import places
from .announcement import Announcement, Service
from .errors import ForeignAuthority, NobodyServes, Ungranted, UnknownVersion
from .roll import ANSWER, Present, calling
from .shelf import Shelf

Topics = Mapping[str, str]
"""For each role the topic under which its units are put on the queue."""


class Admission:
    """Of sessions of one version of a protocol, for whoever starts them."""

    def __init__(self, broker: Broker, shelf: Shelf, compiled: Compiled) -> None:
        self._broker = broker
        self._shelf = shelf
        self._compiled = compiled
        self._misfits: dict[tuple[str, str], str] = {}

    async def admit(self, bindings: Mapping[str, int], patience: float = 0.0) -> Topics:
        """Who is to play each role; waits up to `patience` seconds for workers to come.

        Raises `NobodyServes`, `Ungranted` or `ForeignAuthority`.
        """
        wanted = {role.name for role in self._compiled.protocol.roles}
        async with calling(self._broker, self._compiled.namespace) as roll:
            exact = await roll.until(lambda p: wanted <= self._exact(p).keys(), ANSWER)
            chosen = await self._choose(roll.present, bindings)
            if not exact and not wanted <= chosen.keys() and patience > 0:
                await roll.until(lambda p: wanted <= self._exact(p).keys(), patience)
                chosen = await self._choose(roll.present, bindings)
            present = roll.present
        missing = [role.name for role in self._compiled.protocol.roles if role.name not in chosen]
        if missing:
            raise NobodyServes(self._compiled.protocol.full_name, missing, self._said(missing))
        self._check_rights(present, chosen)
        return {
            role: places.topic(self._compiled.name, role, bytes.fromhex(service.fingerprint))
            for role, service in chosen.items()
        }

    def _services(self, present: Present) -> Iterable[Service]:
        """What is offered for this protocol, by those who stay."""
        for worker in present.values():
            if not worker.leaving:
                yield from (s for s in worker.services if s.protocol == self._compiled.name)

    def _exact(self, present: Present) -> dict[str, Service]:
        own = self._compiled.fingerprint.hex()
        return {s.role: s for s in self._services(present) if s.fingerprint == own}

    async def _choose(self, present: Present, bindings: Mapping[str, int]) -> dict[str, Service]:
        chosen = self._exact(present)
        for service in self._services(present):
            if service.role not in chosen:
                key = (service.role, service.fingerprint)
                self._misfits[key] = await self._misfit(service, bindings)
                if not self._misfits[key]:
                    chosen[service.role] = service
        return chosen

    async def _misfit(self, service: Service, bindings: Mapping[str, int]) -> str:
        """Why it will not do, or an empty string."""
        try:
            other = await self._shelf.get(
                self._compiled.namespace, service.protocol, bytes.fromhex(service.fingerprint)
            )
        except UnknownVersion as error:
            return error.message
        return misfit(self._compiled, other, service.role, bindings)

    def _said(self, missing: Iterable[str]) -> list[str]:
        return [
            f"{role} in version {fingerprint} will not do: {why}"
            for (role, fingerprint), why in self._misfits.items()
            if role in missing and why
        ]

    def _check_rights(self, present: Present, chosen: Mapping[str, Service]) -> None:
        """Raise where guarded messages would be refused later."""
        if not any(guards_of(self._compiled).values()):
            return
        serving: list[Announcement] = []
        for worker in present.values():
            mine = [s for s in worker.services if s == chosen.get(s.role) or _same(s, chosen)]
            serving += [worker] if mine and not worker.leaving else []
            for service in mine:
                if service.lacks:
                    raise Ungranted(worker.name, service.role, service.lacks)
        if len({worker.authority for worker in serving}) > 1:
            names = sorted(worker.name for worker in serving)
            raise ForeignAuthority(self._compiled.protocol.full_name, names)


def _same(service: Service, chosen: Mapping[str, Service]) -> bool:
    other = chosen.get(service.role)
    return other is not None and (other.protocol, other.fingerprint) == (
        service.protocol,
        service.fingerprint,
    )


def misfit(session: Compiled, worker: Compiled, role: str, bindings: Mapping[str, int]) -> str:
    """Why a function written for `role` of the worker's version cannot play the session's, or an
    empty string."""
    if role not in {r.name for r in worker.protocol.roles}:
        return f"that version has no {role}"
    known = {*worker.open_counts, *worker.open_counts.values(), *worker.open_bounds}
    known |= {*session.open_counts, *session.open_counts.values(), *session.open_bounds}
    bound = {name: count for name, count in bindings.items() if name in known}
    found = compare(session, worker, bound).roles[role]
    return "" if found.upgrade is None else str(found.upgrade)


def guards_of(compiled: Compiled) -> dict[str, set[str]]:
    """The capabilities that the steps of each role ask for."""
    return {
        role: {
            effect.capability
            for machine in machines
            for transition in machine.transitions
            if transition.action.sends
            for effect in effects_of(transition.action)
            if isinstance(effect, CapabilityGuardEffect)
        }
        for role, machines in compiled.sketch().machines.items()
    }
