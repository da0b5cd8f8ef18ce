"""What a session has left behind, looked at when it is over: its journal, its budgets, and whatever
should not be there any more."""

from __future__ import annotations

from typing import Protocol

from ...broker.contract import Broker
from ...broker.sim.network import Network
from ...effects.errors import JournalBroken
from ...effects.flow.accounting import accounted
from ...effects.flow.budget import Budgets
from ...effects.journal.journal import Journal
from ...effects.pipeline.handlers import standard_registry
from ...effects.pipeline.plan import plan_of
from ...effects.pipeline.registry import ExtensionRegistry
from ...language.machine import Action
from ...language.projection import Projection
from ..choreography import Choreography
from .kit import Kit
from .ledger import Broken
from .verdict import Ended

STANDARD = standard_registry()

UNSURE = frozenset({"crash", "answer", "loss", "partition", "silence", "budget", "journal"})
"""Faults after which more may be charged than was sent: nobody knows whether it was."""


class Left(Ended, Protocol):
    @property
    def name(self) -> str: ...
    @property
    def network(self) -> Network: ...
    @property
    def kit(self) -> Kit: ...
    @property
    def choreography(self) -> Choreography: ...


def expected_facts(
    projection: Projection, registry: ExtensionRegistry | None
) -> dict[Action, tuple[str, ...]]:
    """The facts that each send of a protocol is to leave, as its text has them. A send is left
    out where handlers of the user's own have a say: what they record is not in the text."""
    found: dict[Action, tuple[str, ...]] = {}
    for role, machines in projection.machines.items():
        for machine in machines:
            for transition in machine.transitions:
                action = transition.action
                if action.sends and not _is_extended(registry, role, action):
                    found[action] = _written(action)
    return found


def _written(action: Action) -> tuple[str, ...]:
    for note in action.annotations:
        if note.key == "journal_facts":
            names = note.value if isinstance(note.value, tuple) else (note.value,)
            return tuple(dict.fromkeys(str(name) for name in names))
    return ()


def _is_extended(registry: ExtensionRegistry | None, role: str, action: Action) -> bool:
    if registry is None or not action.annotations:
        return False
    return plan_of(registry, role, action).steps != plan_of(STANDARD, role, action).steps


async def audit(session: Left, broker: Broker, *, failed: bool) -> None:
    """Raises `Broken`."""
    journal = Journal(broker, session.kit.signer)
    struck = {fault.kind for fault in session.struck}
    certain = not failed and not struck & UNSURE
    try:
        await _journal(session, journal)
        await _facts(session, journal, complete=certain)
        await _budgets(broker, journal, exact=certain)
    finally:
        await journal.close()
    _left_over(session)


async def _journal(session: Left, journal: Journal) -> None:
    findings = await journal.verify(session=session.name)
    for fault in findings.faults:
        raise Broken("journals verify", f"{fault}")


async def _facts(session: Left, journal: Journal, *, complete: bool) -> None:
    """Each fact is there once, if and only if its message was sent. A writer that was killed may
    have one more: it is stored first."""
    found: dict[str, list[str]] = {}
    try:
        async for entry in journal.query(session=session.name):
            sizes = session.projection.sizes
            writer = entry.writer
            family = sizes.get(writer.role) is not None
            name = f"{writer.role}[{writer.index or 0}]" if family else writer.role
            found.setdefault(name, []).append(entry.name)
    except JournalBroken as error:
        raise Broken("journals verify", error.message) from None
    for name in sorted({*found, *session.ledger.facts}):
        stored, said = found.get(name, []), session.ledger.facts.get(name, [])
        if stored[: len(said)] != said or (complete and len(stored) != len(said)):
            raise Broken(
                "a fact is stored if and only if its message was sent",
                f"{name} has sent messages with {_list(said)}, and its journal has {_list(stored)}",
            )


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


async def _budgets(broker: Broker, journal: Journal, *, exact: bool) -> None:
    accounting = await accounted(journal.entries(), Budgets(broker))
    for fault in accounting.faults:
        raise Broken("receipts and budgets agree", f"{fault.writer or fault.peer}: {fault.reason}")
    for total in accounting.sums:
        if exact and total.spent is not None and total.spent != total.total:
            raise Broken(
                "receipts and budgets agree",
                f"the receipts of {total.peer} come to {total.total}, its budget has {total.spent}",
            )


def _left_over(session: Left) -> None:
    """Whoever has come to its end has closed its connection and has ended its tasks."""
    left = sorted(set(session.network.links) - {"auditor"})
    if left:
        raise Broken("nothing is left over", f"{left[0]} has not closed its connection")
