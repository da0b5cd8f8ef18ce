"""What a protocol's own annotations need of the registry, looked at before anything is sent."""

from __future__ import annotations

from collections.abc import Collection

from ..effects.errors import InvalidEffect, UnregisteredEffect
from ..effects.pipeline.registry import ExtensionRegistry
from ..language.errors import PavaneError
from ..language.machine import Machine
from ..language.tree import Annotation


def require(
    registry: ExtensionRegistry, keys: Collection[str], machines: Collection[Machine]
) -> None:
    """Raise `UnregisteredEffect` where one of the extension `keys` that the protocol was loaded
    with means nothing to the registry, and `InvalidEffect` for a value that no effect can be made
    of. Other keys that are unknown are kept, and mean nothing."""
    for machine in machines:
        for transition in machine.transitions:
            if transition.action.sends:
                for annotation in transition.action.annotations:
                    _require(registry, keys, annotation, machine.role)


def _require(
    registry: ExtensionRegistry, keys: Collection[str], annotation: Annotation, role: str
) -> None:
    factory = registry.factories.get(annotation.key)
    if factory is None:
        if annotation.key in keys:
            raise UnregisteredEffect(annotation.key, role=role, how="annotation")
        return
    try:
        factory(annotation.value)
    except PavaneError:
        raise
    except Exception as error:
        wanted = f"a value of its effect ({type(error).__name__}: {error})"
        raise InvalidEffect(annotation.key, annotation.value, wanted) from error
