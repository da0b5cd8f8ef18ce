"""What has to be on a server before connections with permissions can play: streams and budgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...broker import subjects
from ...broker.contract import LEASE, Broker
from ...effects.flow.budget import Budgets
from ...effects.pipeline.effect import FlowCostEffect, LeakageEffect, effects_of
from ...language.compiler import Compiled
from ...language.machine import Machine
from ..durable.start import prepare as prepare_sessions
from ..grants import PLENTY
from ..workers import places
from . import durable_permissions
from .permissions import STREAMS


async def prepare(
    broker: Broker,
    protocols: Iterable[Compiled],
    *,
    budgets: Mapping[str, int],
    leakage: Mapping[str, int],
    lease: float | None = None,
) -> list[str]:
    """Make the streams and the budgets; says what there is, a line each.

    A budget given is set. Without one, a budget that exists stays, and one that does not becomes
    practically unlimited; so it is with `leakage`, by class of observers. The `lease` that workers
    have to keep, in seconds, is set in the same way. May be called again.
    """
    found = list(protocols)
    done = await _make_streams(broker, {one.namespace for one in found}, lease)
    known = Budgets(broker)
    for compiled in found:
        context = f"{subjects.namespace_token(compiled.namespace)}.{compiled.name}"
        charged, observers = _limited(compiled.sketch().machines)
        for role in charged:
            level = await known.level(context, role)
            if role in budgets or level is None:
                level = await known.define(context, role, budgets.get(role, PLENTY))
            done.append(f"budget {context}.{role}: {level.spent} of {level.limit} spent")
        for observer in observers:
            level = await known.leakage(context, observer)
            if observer in leakage or level is None:
                limit = leakage.get(observer, PLENTY)
                level = await known.define_leakage(context, observer, limit)
            done.append(f"leakage {context}.{observer}: {level.spent} of {level.limit} spent")
    return done


async def _make_streams(
    broker: Broker, namespaces: Iterable[str], lease: float | None
) -> list[str]:
    for stream, captured in STREAMS:
        await broker.ensure_stream(stream, list(captured))
    made = [stream for stream, _ in STREAMS]
    leases: list[str] = []
    for namespace in sorted(namespaces):
        await prepare_sessions(broker, namespace)
        await broker.ensure_queue(places.queue(namespace), lease=lease)
        await broker.ensure_stream(places.protocols(namespace), [places.protocol(namespace)])
        await broker.ensure_stream(places.dead(namespace), [places.dead_letters(namespace)])
        made += durable_permissions.streams(namespace)
        leases.append(f"lease of {places.queue(namespace)}: {await _lease(broker, namespace):g} s")
    return [*(f"stream {stream}" for stream in made), *leases]


async def _lease(broker: Broker, namespace: str) -> float:
    return await broker.lease(places.queue(namespace)) or LEASE


def _limited(machines: Mapping[str, tuple[Machine, ...]]) -> tuple[list[str], list[str]]:
    """The roles that are charged, and the classes of observers that are leaked to."""
    charged = set[str]()
    observers = set[str]()
    for role, found in machines.items():
        actions = (t.action for machine in found for t in machine.transitions if t.action.sends)
        for effect in (effect for action in actions for effect in effects_of(action)):
            if isinstance(effect, FlowCostEffect) and effect.cost > 0:
                charged.add(role)
            if isinstance(effect, LeakageEffect):
                observers |= {observer for observer, _ in effect.leaks}
    return sorted(charged), sorted(observers)
