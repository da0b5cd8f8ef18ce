"""Effect values: what an annotated message asks for, as data.

An effect says nothing of how it is done; that is its handler's part, found in the
`ExtensionRegistry`. `effects_of` reads the effects of a step from its annotations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from ...language.annotations import COST_LIMIT, DEFAULT_COST
from ...language.machine import Action
from ...language.tree import Annotation, Scalar
from ..errors import InvalidEffect

StageName = Literal["capability", "flow", "leakage", "journal", "send"]
STAGES: tuple[StageName, ...] = ("capability", "flow", "leakage", "journal", "send")
"""The order in which everything around a message happens."""

EXTERNAL = "external"
"""Who watches from outside: the class of observers where none is named."""

_CLASS = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Effect(Protocol):
    """Anything frozen with a `stage`; an extension's effects run after the built-in ones there."""

    stage: ClassVar[StageName]


Factory = Callable[[Scalar], Effect]
"""Makes an extension's effect from the value of its annotation."""


@dataclass(frozen=True, slots=True)
class CapabilityGuardEffect:
    """The sender must hold `capability` (`namespace:name`, or `name` in the protocol's own)."""

    capability: str
    stage: ClassVar[StageName] = "capability"

    def __post_init__(self) -> None:
        _name("guard_capability", self.capability)


@dataclass(frozen=True, slots=True)
class FlowCostEffect:
    """Each copy of the message is charged `cost` to the sender's flow budget."""

    cost: int
    stage: ClassVar[StageName] = "flow"

    def __post_init__(self) -> None:
        _amount("flow_cost", self.cost)


@dataclass(frozen=True, slots=True)
class LeakageEffect:
    """The message tells each class of observers `amount` units, per copy."""

    leaks: tuple[tuple[str, int], ...]
    stage: ClassVar[StageName] = "leakage"

    def __post_init__(self) -> None:
        for observer, amount in self.leaks:
            if not is_observer(observer):
                raise InvalidEffect("leak", observer, "a class named by letters, digits, `_`, `-`")
            _amount("leak", amount)


@dataclass(frozen=True, slots=True)
class JournalFactsEffect:
    """The facts are in the journal if and only if the message was sent."""

    facts: tuple[str, ...]
    stage: ClassVar[StageName] = "journal"

    def __post_init__(self) -> None:
        for fact in self.facts:
            _name("journal_facts", fact)


@dataclass(frozen=True, slots=True)
class JournalMergeEffect:
    """Sender and receiver join the other's journal into their own."""

    stage: ClassVar[StageName] = "journal"


STANDARD: tuple[type, ...] = (
    CapabilityGuardEffect,
    FlowCostEffect,
    LeakageEffect,
    JournalFactsEffect,
    JournalMergeEffect,
)
"""The effects of the language's own annotations, in their order."""

RESERVED = ("guard_capability", "flow_cost", "leak", "journal_facts", "journal_merge")
"""The annotation keys that mean a standard effect, in the order of `STANDARD`."""

_NONE: Mapping[str, Factory] = {}


def effects_of(action: Action, factories: Mapping[str, Factory] = _NONE) -> tuple[Effect, ...]:
    """The effects of a step, in pipeline order; none where nothing is annotated.

    A step with any annotation of its sender or statement and without `flow_cost` costs
    `DEFAULT_COST`. `factories` makes the effects of an extension's annotation keys.
    """
    if not action.annotations:
        return ()
    values = {a.key: a.value for a in action.annotations}
    found = [*_standard(values), *_extensions(action.annotations, factories)]
    return tuple(sorted(found, key=lambda effect: STAGES.index(effect.stage)))


def _standard(values: Mapping[str, Scalar]) -> list[Effect]:
    effects: list[Effect] = []
    if "guard_capability" in values:
        effects.append(CapabilityGuardEffect(_text(values, "guard_capability")))
    effects.append(FlowCostEffect(_integer(values, "flow_cost", DEFAULT_COST)))
    if "leak" in values:
        effects.append(LeakageEffect(leaks_of(values["leak"])))
    if "journal_facts" in values:
        effects.append(JournalFactsEffect(_names(values["journal_facts"])))
    if values.get("journal_merge") is True:
        effects.append(JournalMergeEffect())
    return effects


def _extensions(
    annotations: tuple[Annotation, ...], factories: Mapping[str, Factory]
) -> list[Effect]:
    return [_made(a, factories[a.key]) for a in annotations if a.key in factories]


def _made(annotation: Annotation, factory: Factory) -> Effect:
    effect = factory(annotation.value)
    stage = getattr(effect, "stage", None)
    if isinstance(effect, type) or stage not in STAGES[:-1]:
        wanted = f"a value of its effect: its factory made {effect!r:.80}, which is none"
        raise InvalidEffect(annotation.key, annotation.value, wanted)
    return effect


def leaks_of(value: Scalar) -> tuple[tuple[str, int], ...]:
    """`"external: 3, neighbour"` as classes and amounts; 1 unit where none is given, and the
    class `EXTERNAL` where there is a number alone."""
    if isinstance(value, int) and not isinstance(value, bool):
        return ((EXTERNAL, value),)
    leaks: list[tuple[str, int]] = []
    for part in _names(value):
        observer, _, amount = part.partition(":")
        text = amount.strip() or "1"
        if not (text.isascii() and text.isdigit()):
            raise InvalidEffect("leak", value, 'a list such as "external: 3, neighbour: 1"')
        leaks.append((observer.strip(), int(text)))
    return tuple(leaks)


def _names(value: Scalar) -> tuple[str, ...]:
    parts = value if isinstance(value, tuple) else str(value).split(",")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _text(values: Mapping[str, Scalar], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise InvalidEffect(key, value, "a name in quotes")
    return value


def _integer(values: Mapping[str, Scalar], key: str, default: int) -> int:
    value = values.get(key, default)
    if not isinstance(value, int):
        raise InvalidEffect(key, value, "a whole number")
    return value


def _name(key: str, value: str) -> None:
    if not is_text(value) or '"' in value or "\\" in value:
        raise InvalidEffect(key, value, "a name of 1 to 256 printable characters without quotes")


def _amount(key: str, value: object) -> None:
    if not is_amount(value):
        raise InvalidEffect(key, value, f"a whole number from 0 to {COST_LIMIT}")


def is_text(value: object) -> bool:
    """Whether a fact, say, can be called so."""
    return isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()


def is_observer(value: object) -> bool:
    """Whether a class of observers can be called so."""
    return isinstance(value, str) and _CLASS.fullmatch(value) is not None


def is_amount(value: object, copies: int = 1) -> bool:
    """Whether a message to so many receivers can cost or tell so much; whether a budget has it is
    another question."""
    most = COST_LIMIT * max(1, copies)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
