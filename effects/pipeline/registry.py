"""The `ExtensionRegistry`: which handler does an effect, and at which roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ..errors import DuplicateEffect, InvalidEffect, UnregisteredEffect
from .command import Handler
from .effect import RESERVED, STAGES, STANDARD, Factory

Performer = Callable[[Any], Any]
"""`perform(effect)` does an effect outside of messages; what it returns may have to be awaited."""

P = TypeVar("P", bound=Performer)


class ExtensionRegistry:
    """Handlers by effect type, and effect factories by annotation key.

    Filled before a runtime opens. A handler registered for roles runs at those roles only:
    there it takes the place of the general one, and at other roles an extension's effect
    that has no general handler does nothing. The standard effects are never left out so:
    without a handler they are an error at every role.
    """

    def __init__(self) -> None:
        self._handlers: dict[tuple[type, str], Handler] = {}
        self._types: set[type] = set()
        self._factories: dict[str, Factory] = {}
        self._performers: dict[tuple[type, str], Performer] = {}

    def register(self, effect: type, handler: Handler, *, role: str = "") -> None:
        """Let `handler` do the effects of this type, at `role` only if one is given.

        Raises `DuplicateEffect` the second time, `InvalidEffect` for a type without a stage.
        """
        if getattr(effect, "stage", None) not in STAGES[:-1]:
            wanted = "one of " + ", ".join(STAGES[:-1])
            raise InvalidEffect(f"{effect.__name__}.stage", getattr(effect, "stage", None), wanted)
        if (effect, role) in self._handlers:
            raise DuplicateEffect(effect.__name__, role=role)
        self._handlers[effect, role] = handler
        self._types.add(effect)

    def handles(self, effect: type, *, role: str = "") -> Callable[[Handler], Handler]:
        """`register` as a decorator."""

        def decorate(handler: Handler) -> Handler:
            self.register(effect, handler, role=role)
            return handler

        return decorate

    def annotation(self, key: str, factory: Factory) -> None:
        """Let the annotation `key` mean the effect that `factory` makes from its value."""
        if key in RESERVED or key in self._factories:
            raise DuplicateEffect(f"annotation key {key}")
        self._factories[key] = factory

    def handler_for(self, effect: type, role: str = "") -> Handler | None:
        """The handler at `role`; None where the effect is registered for other roles only.

        Raises `UnregisteredEffect` if there is none at all.
        """
        handler = self._handlers.get((effect, role)) or self._handlers.get((effect, ""))
        if handler is None and (effect in STANDARD or effect not in self._types):
            raise UnregisteredEffect(effect.__name__, role=role)
        return handler

    def performs(self, effect: type, *, role: str = "") -> Callable[[P], P]:
        """Let a function, async or not, do the effects of this type that programs (`Program.ext`) and
        roles (`Endpoint.perform`) ask for beside their messages; what it returns is theirs.

        Raises `DuplicateEffect` the second time.
        """

        def decorate(performer: P) -> P:
            if (effect, role) in self._performers:
                raise DuplicateEffect(effect.__name__, role=role)
            self._performers[effect, role] = performer
            return performer

        return decorate

    def performer_for(self, effect: type, role: str = "") -> Performer:
        """Raises `UnregisteredEffect` if there is none for `role` and none for all."""
        known = self._performers
        found = known.get((effect, role)) or known.get((effect, ""))
        if found is None:
            raise UnregisteredEffect(effect.__name__, role=role, how="performs")
        return found

    def performed(self, role: str) -> frozenset[type]:
        """The types of effects that can be performed at `role`."""
        return frozenset(effect for effect, where in self._performers if where in ("", role))

    @property
    def factories(self) -> Mapping[str, Factory]:
        return MappingProxyType(self._factories)

    def keys(self) -> frozenset[str]:
        """The annotation keys of extensions, for the check of a protocol."""
        return frozenset(self._factories)

    def copy(self) -> ExtensionRegistry:
        """A registry of its own with the same entries."""
        other = ExtensionRegistry()
        other._handlers = dict(self._handlers)
        other._types = set(self._types)
        other._factories = dict(self._factories)
        other._performers = dict(self._performers)
        return other
