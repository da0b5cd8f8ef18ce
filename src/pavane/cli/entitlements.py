"""What the roles of a run may do: what their steps ask for, less what was taken away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from ..effects.pipeline.effect import CapabilityGuardEffect, Effect, LeakageEffect, effects_of
from ..language.projection import Projection
from .errors import UsageError

Capabilities = Mapping[str, tuple[str, ...]]


def asked(projection: Projection) -> dict[str, tuple[str, ...]]:
    """For each role the capabilities that its sends ask for, in the order of its steps."""
    found: dict[str, dict[str, None]] = {role: {} for role in projection.machines}
    for role, effect in _effects(projection):
        if isinstance(effect, CapabilityGuardEffect):
            found[role][effect.capability] = None
    return {role: tuple(capabilities) for role, capabilities in found.items()}


def observers(projection: Projection) -> frozenset[str]:
    """The classes of observers that some message tells something."""
    return frozenset(
        observer
        for _, effect in _effects(projection)
        if isinstance(effect, LeakageEffect)
        for observer, _ in effect.leaks
    )


def _effects(projection: Projection) -> Iterator[tuple[str, Effect]]:
    for role, machines in projection.machines.items():
        for machine in machines:
            for transition in machine.transitions:
                if transition.action.sends:
                    yield from ((role, effect) for effect in effects_of(transition.action))


def granted(
    projection: Projection, grants: Capabilities, revoked: Capabilities
) -> dict[str, tuple[str, ...]]:
    """The capabilities of each role: all that it asks for, or what `grants` gives it instead,
    without those `revoked`. Raises `UsageError` for a role or capability that is not there."""
    refuse_unknown_roles("--grant", grants, projection.machines)
    refuse_unknown_roles("--revoke", revoked, projection.machines)
    held = {role: grants.get(role, wanted) for role, wanted in asked(projection).items()}
    for role, names in revoked.items():
        for name in names:
            if name not in held[role]:
                has = ", ".join(held[role]) or "none"
                raise UsageError(
                    f"--revoke {role}={name}: {role} does not have this capability",
                    hint=f"what {role} has: {has}",
                )
        held[role] = tuple(name for name in held[role] if name not in names)
    return held


def refuse_unknown_roles(option: str, given: Iterable[str], roles: Collection[str]) -> None:
    """Raise `UsageError` unless every role that the option names is one of `roles`."""
    for role in given:
        if role not in roles:
            raise UsageError(
                f"{option} {role}=...: the protocol has no role {role}",
                hint=f"its roles are {', '.join(roles)}",
            )


def refuse_unknown_observers(given: Mapping[str, int], projection: Projection) -> None:
    """Raise `UsageError` unless some message leaks to every observer that `--leakage` names."""
    known = observers(projection)
    for observer in given:
        if observer not in known:
            raise UsageError(
                f"--leakage {observer}=...: no message leaks anything to {observer}",
                hint=f"the observers are {', '.join(sorted(known))}" if known else "leave it out",
            )
