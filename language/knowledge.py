"""Knowledge of choice: who must be told which branch was taken, and by which messages.

Where the alternatives of a role do not merge, some choice of another role matters to it before
any message says how it went. In such branches the chooser sends it a selection first. Choices
are announced until everything merges; what no announcement helps is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from .crossing import crossings
from .errors import Diagnostic, Span
from .flow import Flow
from .graph import Branching, Comm
from .instances import Class
from .machine import Peer
from .merge import Clash
from .projection import Attempt, attempt
from .tree import Choice, Loop, Protocol, RoleRef
from .view import View

PATIENCE = 3
"""How often a role's machine may grow too large before it has been told of every choice."""

Key = tuple[object, ...]
Told = dict[Key, dict[str, bool]]
"""Which choices are announced to which roles; True if in every branch, also where a message
would tell: two choices may begin alike, one inside the other."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A message that the compiler added: `chooser` tells `receiver` that it took `branch`.

    `construct` marks the ones that a loop decided by a role always sends, also in strict mode.
    """

    chooser: str
    receiver: str
    branch: str
    span: Span
    construct: bool

    def __str__(self) -> str:
        return f"{self.chooser} -> {self.receiver}: @{self.branch}"


@dataclass(frozen=True, slots=True)
class Elaborated:
    """What a protocol needs so that every role can follow it, and the projection that this gives."""

    announcements: Mapping[Key, Mapping[str, tuple[RoleRef, ...]]]
    selections: tuple[Selection, ...]
    diagnostics: tuple[Diagnostic, ...]
    attempt: Attempt


def elaborate(
    protocol: Protocol,
    bindings: Mapping[str, int],
    *,
    strict: bool = False,
    extension_keys: Collection[str] = (),
) -> Elaborated:
    """Find the selections; with `strict` only those that loops send by their nature.

    `diagnostics` holds an error for each role that cannot follow all the same.
    """
    told: Told = {}
    project = partial(attempt, protocol, bindings, extension_keys=extension_keys)
    plain = tried = project({}, patience=True)
    announcements: dict[Key, dict[str, tuple[RoleRef, ...]]] = {}
    patience = PATIENCE
    while _announced(tried, told, strict=strict):
        announcements = {key: _ways(plain, key, roles) for key, roles in told.items()}
        patience -= 1
        tried = project(announcements, patience=patience > 0)
    selections = _selections(tried.flow, announcements)
    # What shares a channel cannot be told apart either, and that would be the lesser word.
    refusals = tuple(crossings(tried.flow, selections)) or _refusals(tried, strict=strict)
    return Elaborated(announcements, selections, refusals, tried)


def _announced(tried: Attempt, told: Told, *, strict: bool) -> bool:
    """Note for every conflict a choice to announce; whether there was a new one."""
    fresh = False
    for who, conflict in tried.conflicts:
        fresh |= _announce(tried.flow, who, conflict, told, strict=strict)
    return fresh


def _announce(flow: Flow, who: Class, conflict: Clash, told: Told, *, strict: bool) -> bool:
    """Announce the outermost choice not yet announced to the role, and when there is none, one
    of them in every branch; whether anything was left to announce."""
    choices = [n for c in conflict.choices if isinstance(n := flow.nodes[c], Branching)]
    for everywhere in (False, True):
        for choice in choices:
            known = told.get(choice.key, {}).get(who.role)
            if (strict and not choice.looping) or known is True or known is everywhere:
                continue
            told.setdefault(choice.key, {})[who.role] = everywhere
            return True
    return False


def _ways(plain: Attempt, key: Key, roles: Mapping[str, bool]) -> dict[str, tuple[RoleRef, ...]]:
    """Per branch the roles that need a selection: those not told by their own first message."""
    flow = plain.flow
    choice = next(n for n in flow.nodes if isinstance(n, Branching) and n.key == key)
    result: dict[str, list[RoleRef]] = {way.label: [] for way in choice.ways}
    for role in flow.protocol.roles:
        if role.name in roles:
            everywhere = roles[role.name]
            for label in result if everywhere else _needing(plain, choice, role.name):
                result[label].append(RoleRef(role.name))
    return {label: tuple(refs) for label, refs in result.items()}


def _needing(plain: Attempt, choice: Branching, role: str) -> list[str]:
    """The branches whose first step at `role` is not a message of the chooser that tells."""
    first: dict[str, set[str] | None] = {}
    for who in plain.flow.instances.classes(role):
        view = plain.views[who]
        for way in choice.ways:
            labels = _first_labels(view, way.entry, choice.chooser)
            known = first.get(way.label, set())
            first[way.label] = None if labels is None or known is None else known | labels
    told = [labels for labels in first.values() if labels is not None]
    if len(set[str]().union(*told)) < sum(map(len, told)):
        return list(first)
    return [label for label, labels in first.items() if labels is None]


def _first_labels(view: View, entry: int, chooser: Peer) -> set[str] | None:
    """The labels that the class can first receive from the chooser; None if it can do else."""
    labels = set[str]()
    for head in view.heads(entry):
        node = view.node(head) if isinstance(head, int) else None
        if not isinstance(node, Comm) or not view.receives(node) or node.sender != chooser:
            return None
        labels.add(node.statement.message.label)
    return labels


def _selections(
    flow: Flow, announcements: Mapping[Key, Mapping[str, tuple[RoleRef, ...]]]
) -> tuple[Selection, ...]:
    if not announcements:
        return ()
    choices = {n.key: n for n in reversed(flow.nodes) if isinstance(n, Branching)}
    return tuple(
        Selection(str(choice.chooser), receiver, label, choice.statement.span, choice.looping)
        for key, ways in announcements.items()
        for choice in [choices[key]]
        for label, roles in ways.items()
        for role in roles
        for receiver in receivers(flow, choice, role.role)
    )


def receivers(flow: Flow, choice: Branching, role: str) -> list[str]:
    """How the instances of `role` that the choice is announced to are named where it stands."""
    if role not in choice.members:
        return [role if flow.instances.sizes[role] is None else f"{role}[*]"]
    named = map(str, choice.members[role])
    return [name for name in named if name != str(choice.chooser)]


def _refusals(tried: Attempt, *, strict: bool) -> tuple[Diagnostic, ...]:
    found: dict[tuple[str, Span], Diagnostic] = {}
    for who, conflict in tried.conflicts:
        diagnostic = _refusal(tried.flow, who, conflict, strict=strict)
        found.setdefault((diagnostic.message, diagnostic.span), diagnostic)
    return tuple(found.values())


def _refusal(flow: Flow, who: Class, conflict: Clash, *, strict: bool) -> Diagnostic:
    detail = f": {conflict.reason}"
    if conflict.one:
        detail += f" ({conflict.one}; or {conflict.other})"
    if not conflict.choices:
        message = f"{who.role} cannot follow the protocol{detail}"
        hint = conflict.hint or _LET_THEM_DIFFER
        own = None if conflict.own is None else flow.nodes[conflict.own]
        span = own.statement.span if isinstance(own, Branching) else flow.protocol.name_span
        return Diagnostic("PV171", "error", message, span, hint)
    choice = flow.nodes[conflict.choices[0]]
    assert isinstance(choice, Branching)
    labels = ", ".join(way.label for way in choice.ways)
    message = f"{who.role} cannot tell the branches {labels} of {choice.chooser} apart{detail}"
    hint = _LET_THEM_DIFFER
    if strict and isinstance(choice.statement, Choice | Loop):
        hint = (
            f"tell it first in every branch, {_telling(flow, choice, who)}, or leave out --strict"
        )
    return Diagnostic("PV170", "error", message, choice.statement.span, hint)


def _telling(flow: Flow, choice: Branching, who: Class) -> str:
    """The messages that would do, for the first two branches."""
    return " and ".join(
        f"`{choice.chooser} -> {receiver}: {way.label.title().replace('_', '')};` in {way.label}"
        for way in choice.ways[:2]
        for receiver in receivers(flow, choice, who.role)
    )


_LET_THEM_DIFFER = (
    "let the first message it gets in each branch differ, from one and the same sender"
)
