"""The handlers of the standard effects: pure, a few lines each."""

from __future__ import annotations

from collections.abc import Iterator

from .command import Charge, Command, Leak, Merge, Record, RequireCapability, Snapshot
from .effect import (
    CapabilityGuardEffect,
    FlowCostEffect,
    JournalFactsEffect,
    JournalMergeEffect,
    LeakageEffect,
)
from .registry import ExtensionRegistry


def guard(effect: CapabilityGuardEffect, snapshot: Snapshot) -> Iterator[Command]:
    yield RequireCapability(effect.capability)


def charge(effect: FlowCostEffect, snapshot: Snapshot) -> Iterator[Command]:
    """A collective message is charged once for each receiver."""
    yield Charge(effect.cost * snapshot.copies)


def leak(effect: LeakageEffect, snapshot: Snapshot) -> Iterator[Command]:
    for observer, amount in effect.leaks:
        yield Leak(observer, amount * snapshot.copies)


def record(effect: JournalFactsEffect, snapshot: Snapshot) -> Iterator[Command]:
    yield Record(effect.facts)


def merge(effect: JournalMergeEffect, snapshot: Snapshot) -> Iterator[Command]:
    yield Merge()


def standard_registry() -> ExtensionRegistry:
    """A registry with the five standard effects; add extensions to it."""
    registry = ExtensionRegistry()
    registry.register(CapabilityGuardEffect, guard)
    registry.register(FlowCostEffect, charge)
    registry.register(LeakageEffect, leak)
    registry.register(JournalFactsEffect, record)
    registry.register(JournalMergeEffect, merge)
    return registry
