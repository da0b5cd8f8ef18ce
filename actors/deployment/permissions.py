"""What each role of a protocol must be allowed on the server, and nothing beyond it.

The sender stands in the subject of a message, the writer in that of a journal entry, the role in
the name of its budget: so permissions on subjects are enough to keep a role from speaking,
recording or paying as another one, whatever its program does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...broker import subjects
from ...broker.nats import allowed
from ...broker.nats.allowed import Allowed
from ...broker.nats.counters import STREAM as COUNTERS
from ...broker.nats.counters import stored_on
from ...effects.capability.revocation import REVOCATION_SUBJECTS, REVOCATIONS
from ...effects.flow.budget import flow_counter, leakage_counter
from ...effects.flow.leases import notices
from ...effects.journal.places import HEAD_SUBJECTS, HEADS, JOURNAL, JOURNAL_SUBJECTS
from ...effects.pipeline.effect import JournalMergeEffect, LeakageEffect, effects_of
from ...language.compiler import Compiled
from ...language.machine import Action, Machine
from . import durable_permissions

OPERATOR = "pavane-operator"
"""Makes the streams, sets the budgets and looks after sessions. No role can be called so, as it has a hyphen."""
RUNTIME = "pavane-runtime"
"""Plays any of the roles, and so whole sessions."""
READER = "pavane-reader"
"""Reads the journal, and nothing else."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What one user may do. `inbox` is for its `ConnectOptions.inbox` (PAVANE_NATS_INBOX)."""

    user: str
    inbox: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permits(protocols: Iterable[Compiled], *, durable: bool = True) -> list[Permit]:
    """One for each role of each protocol, then the three that are not roles.

    Roles are users named `namespace.Protocol.Role`. All instances of a family are one user.
    Without `durable` they can play live sessions alone.
    """
    compiled = list(protocols)
    found = [_of_role(one, role, durable=durable) for one in compiled for role in _roles(one)]
    for user, allow, kept in (
        (OPERATOR, _operator, durable_permissions.of_operator),
        (RUNTIME, _runtime, durable_permissions.of_runtime),
        (READER, _reader, None),
    ):
        what = allowed.all_of(allow(one) for one in compiled)
        if durable and kept is not None:
            what += allowed.all_of(kept(one) for one in compiled)
        found.append(_permit(user, what))
    return found


def _permit(user: str, what: Allowed) -> Permit:
    inbox = f"_INBOX.{user}"
    everything = allowed.connecting(inbox) + what
    return Permit(user, inbox, everything.publish, everything.subscribe)


def _roles(compiled: Compiled) -> Mapping[str, tuple[Machine, ...]]:
    return compiled.sketch().machines


def _of_role(compiled: Compiled, role: str, *, durable: bool) -> Permit:
    space, protocol = subjects.namespace_token(compiled.namespace), compiled.name
    live = allowed.publishing(f"{space}.{protocol}.*.*.*.{role}.*") + allowed.listening(
        subjects.inbox(space, protocol, role)
    )
    actions = _actions(compiled, role)
    effects = _effects(space, protocol, role, actions)
    if any(effects_of(action) for action in actions):
        effects += _heeding_revocations()
    if durable:
        live += durable_permissions.of_role(compiled, role)
    return _permit(f"{space}.{protocol}.{role}", live + effects)


def _actions(compiled: Compiled, role: str) -> list[Action]:
    machines = _roles(compiled)[role]
    return [transition.action for machine in machines for transition in machine.transitions]


def _effects(space: str, protocol: str, role: str, actions: list[Action]) -> Allowed:
    """The journal and the budgets of a role that sends, or merges, with annotations."""
    merged = {
        action.peer.role
        for action in actions
        if any(isinstance(effect, JournalMergeEffect) for effect in effects_of(action))
    }
    sent = [effect for a in actions if a.sends for effect in effects_of(a)]
    if not sent and not merged:
        return Allowed()
    context = f"{space}.{protocol}"
    observers = {o for e in sent if isinstance(e, LeakageEffect) for o, _ in e.leaks}
    counters = [flow_counter(context, role)] if sent else []
    counters += [leakage_counter(context, observer) for observer in sorted(observers)]
    return allowed.all_of(
        (
            _journal(f"{space}.{protocol}.*.{role}.*", writes=True),
            *(_merging(f"{space}.{protocol}.*.{peer}.*") for peer in sorted(merged)),
            *(_counting(counter) for counter in counters),
        )
    )


def _heeding_revocations() -> Allowed:
    return allowed.all_of(allowed.reading(REVOCATIONS, s) for s in REVOCATION_SUBJECTS)


def _journal(writers: str, *, writes: bool) -> Allowed:
    """`writers` are namespace, protocol, session, role and index."""
    places = ((JOURNAL, f"journal.{writers}"), (HEADS, f"journal_heads.{writers}"))
    found = allowed.all_of(allowed.reading(stream, subject) for stream, subject in places)
    if writes:
        found += allowed.all_of(allowed.publishing(subject) for _, subject in places)
    return found


def _merging(writers: str) -> Allowed:
    return allowed.reading(JOURNAL, f"journal.{writers}")


def _counting(counter: str) -> Allowed:
    record, notice = stored_on(counter), notices(counter)
    asking = allowed.publishing(notice) + allowed.listening(notice)
    return allowed.publishing(record) + allowed.reading(COUNTERS, record) + asking


# --- users that are not roles --------------------------------------------------------------


def _operator(compiled: Compiled) -> Allowed:
    context = f"{subjects.namespace_token(compiled.namespace)}.{compiled.name}"
    streams = allowed.all_of(allowed.making(stream) for stream, _ in STREAMS)
    streams += allowed.making(COUNTERS)
    streams += allowed.all_of(allowed.publishing(s) for s in REVOCATION_SUBJECTS)
    counters = allowed.all_of(
        allowed.publishing(stored_on(c)) + allowed.publishing(notices(c))
        for c in _counters_of(context)
    )
    return streams + counters + _journal(f"{context}.*.*.*", writes=False)


def _runtime(compiled: Compiled) -> Allowed:
    space, protocol = subjects.namespace_token(compiled.namespace), compiled.name
    mailboxes = f"{space}.{protocol}.*.*.*.*.*"
    return (
        allowed.publishing(mailboxes)
        + allowed.listening(mailboxes)
        + _journal(f"{space}.{protocol}.*.*.*", writes=True)
        + _all_counters(f"{space}.{protocol}")
        + _heeding_revocations()
    )


def _reader(compiled: Compiled) -> Allowed:
    space = subjects.namespace_token(compiled.namespace)
    return _journal(f"{space}.{compiled.name}.*.*.*", writes=False)


def _all_counters(context: str) -> Allowed:
    return allowed.all_of(_counting(counter) for counter in _counters_of(context))


def _counters_of(context: str) -> tuple[str, ...]:
    return tuple(f"{kind}.{context}.*" for kind in ("flow", "leak"))


# --- before the first session ----------------------------------------------------------------

STREAMS = (
    (JOURNAL, JOURNAL_SUBJECTS),
    (HEADS, HEAD_SUBJECTS),
    (REVOCATIONS, REVOCATION_SUBJECTS),
)
"""What has to be made before connections with permissions can use it, counters apart."""
