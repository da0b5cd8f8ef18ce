"""What all instances of one class share: the machine laid out, payload shapes, effect plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..effects.pipeline import Arrival, Pipeline, Plan
from ..language.machine import Action, Machine
from ..language.payload import Shape
from ..language.table import Step, Table
from .errors import Unhandled

Pack = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Move:
    """A step with what the runtime needs around it.

    `plan` is what is done before a send, `arrival` what is checked of a message received;
    None where nothing is.
    """

    __slots__ = ("arrival", "pack", "plain", "plan", "shape", "step", "unpack")

    def __init__(
        self, step: Step, shape: Shape, plan: Plan | None, arrival: Arrival | None
    ) -> None:
        self.step = step
        self.shape = shape
        self.pack: Pack = shape.pack
        self.unpack: Callable[[Any], Any] = shape.unpack
        self.plan = plan
        self.arrival = arrival
        around = plan or arrival or step.action.guards or (step.sends and step.action.broadcast)
        self.plain = not (around or step.collective or step.selection or step.register)
        """Whether nothing stands between a checked payload and the wire."""


class Part:
    """A class of instances of `role` in one choreography under one set of bindings.

    `sizes` has the number of instances of each family, None for a plain role.
    """

    __slots__ = (
        "guarded",
        "is_family",
        "labels",
        "moves",
        "role",
        "sizes",
        "start",
        "stop",
        "table",
        "timed",
    )

    def __init__(
        self,
        machine: Machine,
        sizes: Mapping[str, int | None],
        shape_of: Callable[[Action], Shape],
        pipeline: Pipeline,
    ) -> None:
        self.table = Table(machine)
        self.role = machine.role
        self.sizes = sizes
        self.is_family = machine.start is not None
        self.start = machine.start if isinstance(machine.start, int) else 0
        self.stop = machine.stop if isinstance(machine.stop, int) else 1
        self.moves = tuple(
            _move(step, shape_of(step.action), machine.role, pipeline) for step in self.table.steps
        )
        self.guarded = any(step.action.guards for step in self.table.steps)
        self.timed = any(
            step.action.timing is not None and any(step.action.timing.clocks)
            for step in self.table.steps
        )
        self.labels: dict[str, set[str]] = {}
        for role, label in self.table.heard:
            self.labels.setdefault(role, set()).add(label)

    def instances(self) -> range:
        return range(self.start, self.stop)

    def hears(self, role: str, index: int, own: int) -> bool:
        """Whether instance `own` receives anything from `role[index]`."""
        return role in self.labels and any(
            not step.sends and index in step.partners(self.role, own)
            for step in self.table.steps
            if step.peer_role == role
        )

    def name_of(self, index: int) -> str:
        return self.instance_name(self.role, index)

    def instance_name(self, role: str, index: int) -> str:
        """`Leader` or `Followers[2]`."""
        return role if self.sizes.get(role) is None else f"{role}[{index}]"


UNBUILT = frozenset({"retry", "priority", "compress"})
"""The keys that the language knows and the runtime does nothing about by itself."""


def _move(step: Step, shape: Shape, role: str, pipeline: Pipeline) -> Move:
    """Raises `UnregisteredEffect` where a send asks for an effect that nobody handles, and
    `Unhandled` for an annotation that would be ignored."""
    for annotation in step.action.annotations:
        if annotation.key in UNBUILT - pipeline.registry.keys():
            raise Unhandled(annotation.key, step.label)
    if step.sends:
        return Move(step, shape, pipeline.plan(role, step.action) or None, None)
    return Move(step, shape, None, pipeline.arrival(step.action) or None)
