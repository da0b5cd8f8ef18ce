"""What names mean at a place of a protocol, and what is told at its choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import ChoreographyError, Diagnostic, Span
from .indices import Meaning
from .timing import Bound, Lane
from .tree import Foreach, Loop, RoleRef

Members = Mapping[str, tuple[RoleRef, ...]]

Announcements = Mapping[tuple[object, ...], Mapping[str, tuple[RoleRef, ...]]]
"""For a choice (by its key) and a branch label: who is sent a selection first."""


def refuse(code: str, message: str, span: Span, hint: str) -> ChoreographyError:
    """An error with one diagnostic."""
    found = Diagnostic(code, "error", message, span, hint)
    return ChoreographyError(message, diagnostics=[found], hint=hint)


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a place: role parameters, jump targets, index variables. `bounds` are the
    times of the blocks around it, `lane` the branches of `parallel`, `members` for families that
    a `foreach` around it goes through the instances that a round names."""

    roles: Mapping[str, RoleRef]
    targets: Mapping[str, int] = field(default_factory=dict[str, int])
    indices: Mapping[str, Meaning] = field(default_factory=dict[str, Meaning])
    bounds: tuple[Bound, ...] = ()
    lane: Lane = ()
    members: Members = field(default_factory=dict[str, tuple[RoleRef, ...]])

    def arguments(self) -> tuple[RoleRef, ...]:
        return tuple(self.roles.values())


@dataclass(frozen=True, slots=True)
class Site:
    """A loop where it stands: enough to compile its body again."""

    statement: Loop | Foreach
    scope: Scope
    after: int
