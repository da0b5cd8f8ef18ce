"""Projection: the local machine of every class of instances of every role."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .determine import Determinisation
from .flow import Flow
from .instances import Bound, Class, Instances, Unordered
from .machine import Machine
from .merge import Clash
from .minimise import minimise
from .parties import parties
from .raw import TooLarge
from .scope import Announcements, refuse
from .tree import Protocol
from .view import View


@dataclass(frozen=True, slots=True)
class Projection:
    """The machines of a protocol under `bindings`, by role in the order of declaration.

    `sizes` has the number of instances of each family (a name where it is not bound) and None
    for a plain role.
    """

    protocol: Protocol
    bindings: Mapping[str, int]
    sizes: Mapping[str, Bound | None]
    machines: Mapping[str, tuple[Machine, ...]]

    def machine(self, role: str, index: int | None = None) -> Machine:
        """The machine of one instance; all counts must be bound. Raises KeyError if there is none."""
        for machine in self.machines[role]:
            start, stop = machine.start, machine.stop
            if start is None:
                return machine
            assert isinstance(start, int) and isinstance(stop, int), "bound before it is run"
            if index is not None and start <= index < stop:
                return machine
        raise KeyError(f"{role}[{index}]")


@dataclass(slots=True)
class Attempt:
    """A projection tried: the machines, and per class the conflicts found."""

    flow: Flow
    views: dict[Class, View] = field(default_factory=dict[Class, View])
    machines: dict[str, tuple[Machine, ...]] = field(default_factory=dict[str, tuple[Machine, ...]])
    conflicts: list[tuple[Class, Clash]] = field(default_factory=list[tuple[Class, Clash]])


def attempt(
    protocol: Protocol,
    bindings: Mapping[str, int],
    announcements: Announcements,
    *,
    patience: bool = False,
    extension_keys: Collection[str] = (),
) -> Attempt:
    """Project every class; raises `ChoreographyError` where it cannot even be tried.

    `patience`: a machine that grows too large is left where it is, if conflicts were found in it.
    """
    instances = Instances(protocol, bindings)
    flow = Flow(protocol, instances, announcements)
    try:
        instances.cut(parties(flow.nodes))
    except Unordered as unordered:
        names = unordered.names
        open_ = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} bound"
        raise refuse(
            "PV181",
            f"the instances of {unordered.role} cannot be told apart before {open_}",
            protocol.name_span,
            f"give the counts, as in {' '.join(f'--bind {name}=5' for name in names)}",
        ) from None
    result = Attempt(flow)
    for role in protocol.roles:
        views = [View(flow, who, extension_keys) for who in instances.classes(role.name)]
        machines = [_local(result, view, protocol, patience=patience) for view in views]
        result.machines[role.name] = tuple(machines)
    return result


def _local(result: Attempt, view: View, protocol: Protocol, *, patience: bool) -> Machine:
    who = view.who
    result.views[who] = view
    try:
        raw = Determinisation(view, patience=patience).raw
    except TooLarge:
        raise refuse(
            "PV182",
            f"the local machine of {who.role} has too many states",
            protocol.name_span,
            "split the protocol, or let fewer parallel branches involve one role",
        ) from None
    result.conflicts += ((who, conflict) for conflict in raw.conflicts)
    return minimise(raw, who)
