"""A choreography with its counts bound: every role's parts, ready to be played."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ..effects.pipeline.pipeline import Pipeline
from ..language.compiler import Compiled
from ..language.machine import Action
from ..language.payload import Shape
from ..language.tree import Message
from .choreography import Choreography
from .extensions import require
from .part import Part

if TYPE_CHECKING:
    from ..effects.programs.listening import Decided

CASTS = 64
"""How many bound choreographies are kept laid out; the one used longest ago goes first."""


class Cast:
    """Shared by all sessions of a choreography under the same bindings in one runtime.

    `known` are the user's types by name. Raises `BindingError` for a count that is missing,
    `UnregisteredEffect` for an annotation that nobody handles, `InvalidEffect` for one that says
    what its effect cannot be.
    """

    def __init__(
        self,
        compiled: Compiled,
        bindings: Mapping[str, int],
        known: Mapping[str, Any],
        pipeline: Pipeline,
    ) -> None:
        projection = compiled.project(bindings)
        self.name = compiled.name
        self.namespace = compiled.namespace
        self.fingerprint = compiled.fingerprint
        self.bindings = projection.bindings
        self.sizes: dict[str, int | None] = {}
        for role, size in projection.sizes.items():
            assert not isinstance(size, str), "project() binds every count"
            self.sizes[role] = size
        machines = [machine for found in projection.machines.values() for machine in found]
        require(pipeline.registry, compiled.extension_keys, machines)
        shapes: dict[Message, Shape] = {}

        def shape_of(action: Action) -> Shape:
            if action.message not in shapes:
                shapes[action.message] = Shape.of(action.message, known)
            return shapes[action.message]

        self.parts = {
            role: tuple(Part(machine, self.sizes, shape_of, pipeline) for machine in machines)
            for role, machines in projection.machines.items()
        }
        for part in (part for parts in self.parts.values() for part in parts):
            part.decisions = self.decisions

        plans = {
            role: [m.plan for part in parts for m in part.moves if m.plan is not None]
            for role, parts in self.parts.items()
        }
        self.guards = {
            role: sorted({guard for plan in found for guard in plan.guards})
            for role, found in plans.items()
        }
        """The capabilities that the steps of each role ask for."""
        self.charged = [role for role, found in plans.items() if any(p.charges for p in found)]
        """The roles that are charged for some step."""
        told = {o for found in plans.values() for plan in found for o in plan.observers}
        self.observers = sorted(told)
        """The classes of observers that some step leaks to."""

        self.mixed = sorted(self._mixed())
        """Pairs of roles of which the first speaks to one instance of the second and to all."""

    @cache  # noqa: B019 (it lives as long as its runtime keeps it)
    def decisions(self) -> Decided:
        """The branches that the messages of each role decide."""
        from ..effects.programs.listening import decided  # loaded where there is a program

        return decided(p.table.machine for parts in self.parts.values() for p in parts)

    def _mixed(self) -> set[tuple[str, str]]:
        kinds: dict[tuple[str, str], set[bool]] = {}
        for role, parts in self.parts.items():
            for step in (m.step for part in parts for m in part.moves if m.step.sends):
                kinds.setdefault((role, step.peer_role), set()).add(step.collective)
        return {pair for pair, both in kinds.items() if len(both) == 2}

    def listeners(self, role: str, own: int, peer: str, index: int | None) -> list[range]:
        """The instances of `peer` that hear `role[own]` on its lane to `index`, or to all."""
        if index is not None:
            return [range(index, index + 1)]
        return [span for part in self.parts[peer] for span in part.listeners(role, own)]


class Casts:
    """Those of a runtime, laid out once for each choreography and its counts."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._known: dict[tuple[object, ...], Cast] = {}

    def of(self, choreography: Choreography, bindings: Mapping[str, int]) -> Cast:
        """Raises as `Cast`."""
        bound = {**choreography.bindings, **bindings}
        types = tuple(sorted((name, id(known)) for name, known in choreography.types.items()))
        key = (
            choreography.full_name,
            choreography.compiled.fingerprint,
            tuple(sorted(bound.items())),
            types,
        )
        cast = self._known.pop(key, None)
        if cast is None:
            cast = Cast(choreography.compiled, bound, choreography.types, self._pipeline)
        self._known[key] = cast
        if len(self._known) > CASTS:
            del self._known[next(iter(self._known))]
        return cast
