"""What a step's effects come to at one role: looked up once, at the start of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ...language.machine import Action
from . import handlers
from .command import Handler
from .effect import (
    CapabilityGuardEffect,
    Effect,
    FlowCostEffect,
    JournalFactsEffect,
    JournalMergeEffect,
    LeakageEffect,
    StageName,
    effects_of,
)
from .registry import ExtensionRegistry


@dataclass(frozen=True, slots=True)
class Simple:
    """A send that takes capabilities, units and facts, and nothing else. `cost` is that of a copy."""

    guards: tuple[str, ...]
    cost: int
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The effects of one send with their handlers. False where there is nothing to do."""

    action: Action
    steps: tuple[tuple[Effect, Handler], ...]
    guards: tuple[str, ...] = ()
    observers: frozenset[str] = frozenset()
    """The classes of observers that it leaks to."""
    charges: bool = False
    simple: Simple | None = None
    """What it comes to, if all of it is known beforehand."""

    def __bool__(self) -> bool:
        return bool(self.steps)

    def at(self, stage: StageName) -> tuple[tuple[Effect, Handler], ...]:
        return tuple(step for step in self.steps if step[0].stage == stage)


class Heard(NamedTuple):
    """A message as its receiver has it: the instance `receiver` takes the `number`-th of a lane, which
    is one `to_all` of its family or not; 0 where it only looks at it. `when` its sender had to
    have the right, in seconds since 1970; None for now."""

    receiver: int = 0
    number: int = 0
    to_all: bool = False
    when: float | None = None


LOOKED_AT = Heard()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a receiver does about an annotated message. False where there is nothing to do."""

    guards: tuple[str, ...]
    merges: bool

    def __bool__(self) -> bool:
        return bool(self.guards) or self.merges


def plan_of(registry: ExtensionRegistry, role: str, action: Action) -> Plan:
    """The plan of a send. Raises `UnregisteredEffect` for an effect without a handler."""
    effects = effects_of(action, registry.factories)
    found = ((effect, registry.handler_for(type(effect), role)) for effect in effects)
    steps = tuple((effect, handler) for effect, handler in found if handler is not None)
    return Plan(
        action=action,
        steps=steps,
        guards=_guards(effects),
        observers=frozenset(
            observer for e in effects if isinstance(e, LeakageEffect) for observer, _ in e.leaks
        ),
        charges=any(isinstance(e, FlowCostEffect) and e.cost > 0 for e in effects),
        simple=_simple(steps),
    )


def _simple(steps: tuple[tuple[Effect, Handler], ...]) -> Simple | None:
    if any(
        handler not in (handlers.guard, handlers.charge, handlers.record) for _, handler in steps
    ):
        return None
    effects = [effect for effect, _ in steps]
    facts = [fact for e in effects if isinstance(e, JournalFactsEffect) for fact in e.facts]
    return Simple(
        guards=tuple(e.capability for e in effects if isinstance(e, CapabilityGuardEffect)),
        cost=sum(e.cost for e in effects if isinstance(e, FlowCostEffect)),
        facts=tuple(dict.fromkeys(facts)),
    )


def arrival_of(action: Action) -> Arrival:
    """What the receiver of `action` checks and merges."""
    effects = effects_of(action)
    merges = any(isinstance(effect, JournalMergeEffect) for effect in effects)
    return Arrival(guards=_guards(effects), merges=merges)


def _guards(effects: tuple[Effect, ...]) -> tuple[str, ...]:
    return tuple(e.capability for e in effects if isinstance(e, CapabilityGuardEffect))
