"""Whether a simulated session ended as what has struck it allows.

Most faults a session has to survive; some have to end it, and then with an error that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ...broker.errors import BrokerError
from ...broker.sim.faults import Fault, Kind
from ...language.errors import PavaneError
from ...language.projection import Projection
from ..composition.errors import ChildFailed
from .ledger import Broken, Ledger

BLIP = 3.5
"""Seconds that a broken connection of a live session is survived: less than the others' patience."""

OWN = {"PV210", "PV211", "PV212", "PV512", "PV520", "PV562", "PV563"}
"""Errors of the code that plays a role: no fault is to blame."""

LATE: frozenset[Kind] = frozenset({"delay", "loss", "partition"})

LONG = 24 * 3600 - 600
"""Seconds by which a clock may be wrong before tokens of a session are no good any more."""

JOURNAL = 8.0
"""Seconds that a journal which cannot be written is waited for, at least."""

ABORTED = {"PV510", "PV511", "PV513", "PV515", "PV566"}
"""The session ended because of another role, or of the connection."""


class Ended(Protocol):
    """What is looked at of a session."""

    @property
    def struck(self) -> Sequence[Fault]: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def is_durable(self) -> bool: ...
    @property
    def projection(self) -> Projection: ...


def judged(session: Ended, errors: Mapping[str, PavaneError]) -> None:
    """Raises `Broken` for an end that nothing explains."""
    if not errors:
        if not _killed_for_good(session):
            session.ledger.completed()
        return
    name, error = min(errors.items(), key=lambda entry: entry[1].code in ABORTED)
    if isinstance(error.__cause__, AssertionError):
        raise Broken("only typed errors", f"{name}: {error.__cause__!r}")
    if error.code in OWN or (not session.struck and not isinstance(error, BrokerError)):
        # What the role's own code has done, or what was to be granted to it.
        return
    # What a role hands on may be a live session: nobody knows here.
    durable = session.is_durable and not isinstance(error, ChildFailed)
    if not any(_may_end(session, fault, durable=durable) for fault in session.struck):
        struck = "; ".join(map(str, session.struck)) or "no fault"
        raise Broken(
            "what can be survived is survived",
            f"{name} ended with {error.code}, {error.message}, after {struck}",
        )


def _killed_for_good(session: Ended) -> bool:
    """Whether a process may have left without coming to its end."""
    gone = ("crash", "silence")
    return any(fault.kind in gone and not session.is_durable for fault in session.struck)


def _may_end(session: Ended, fault: Fault, *, durable: bool) -> bool:
    """Whether a session may end because of this."""
    if _is_timed(session.projection):
        return True
    if fault.kind in LATE:
        away = sum(other.seconds for other in session.struck if other.kind in LATE)
        return not durable and (away > BLIP or _is_mixed(session.projection))
    if fault.kind == "skew":
        return abs(fault.seconds) > LONG
    if fault.kind == "journal":
        return fault.seconds > JOURNAL
    if fault.kind in ("crash", "reorder", "silence"):
        return not durable
    return fault.kind in ("corrupt", "budget", "wrong_label", "answer")


def _is_timed(projection: Projection) -> bool:
    return any(
        transition.action.timing is not None
        for machines in projection.machines.values()
        for machine in machines
        for transition in machine.transitions
    )


def _is_mixed(projection: Projection) -> bool:
    """Whether a role speaks to one instance of another and to all of them: what is lost then
    cannot be put in order again."""
    kinds: dict[tuple[str, str], set[bool]] = {}
    for role, machines in projection.machines.items():
        for machine in machines:
            for transition in machine.transitions:
                action = transition.action
                if action.sends:
                    kinds.setdefault((role, action.peer.role), set()).add(action.peer.is_collective)
    return any(len(both) == 2 for both in kinds.values())
