"""Bugs planted in budgets, journals, capabilities and the logs of durable sessions: the simulation
finds them, and finds nothing where none is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import pytest

import pavane
from pavane.actors.playing import Implementation
from pavane.actors.simulation.state import SimulationState
from pavane.broker.sim.faults import Kind

Patch = pytest.MonkeyPatch


PLAIN = """
protocol Plain {
    roles: A, B, C;
    A -> B: One(n: i32);
    A -> B: Two(n: i32);
    B -> C: Three(n: i32);
    C -> A: Four(n: i32);
    choice A {
        more { A -> B: Again(n: i32); B -> A: Back(n: i32); A -> C: Done; }
        stop { A -> B: Stop; A -> C: Done; }
    }
}
"""

PAID = """
protocol Paid {
    roles: Payer, Payee;
    loop (count: 14) {
        Payer[flow_cost = 7, journal_facts = "paid"] -> Payee: Pay(n: i32);
    }
    Payee[guard_capability = "thank", flow_cost = 3, journal_facts = "thanked, closed"]
        -> Payer: Thanks;
}
"""


SEEDS = 400
OWN = ("name", "plant")

Hunt = Callable[..., str]


@dataclass(frozen=True)
class Bug:
    """`kinds` are the faults under which it is looked for."""

    name: str
    plant: Callable[[Patch], None]
    text: str = PAID
    kinds: tuple[Kind, ...] = ()
    durable: bool = False
    grants: Mapping[str, list[str]] | None = None
    roles: Mapping[str, Implementation] | None = None
    checks: tuple[Callable[[SimulationState], object], ...] = ()


def nothing_at_all(*_: object, **__: object) -> None:
    """In place of what should be done."""


# --- budgets and journals ------------------------------------------------------------------


def spends_beyond(patch: Patch) -> None:
    import pavane.broker.level as levels
    from pavane.broker.contract import Level

    def spent(counter: str, level: Level, amount: int) -> Level:
        return msgspec.structs.replace(level, spent=level.spent + amount)

    patch.setattr(levels, "spent", spent)


def charges_twice(patch: Patch) -> None:
    from pavane.effects.flow.budget import Budgets

    right = Budgets.charge

    async def charge(self: Any, *args: Any, **more: Any) -> Any:
        await right(self, *args, **more)
        return await right(self, *args, **more)

    patch.setattr(Budgets, "charge", charge)


def keeps_what_is_left(patch: Patch) -> None:
    """A lease forgets to give back what it has drawn ahead."""
    from pavane.effects.flow.lease import Lease

    async def release(self: Any, *, recalled: bool = False) -> None:
        self.held = False

    patch.setattr(Lease, "release", release)


def drafting(change: Callable[[list[Any]], list[Any]]) -> Callable[[Patch], None]:
    """Other facts than the step has."""

    def plant(patch: Patch) -> None:
        from pavane.effects.pipeline.transaction import BrokerTransaction

        right = BrokerTransaction._fact_drafts  # pyright: ignore[reportPrivateUsage]

        def drafts(self: Any, *what: Any) -> list[Any]:
            return change(right(self, *what))

        patch.setattr(BrokerTransaction, "_fact_drafts", drafts)

    return plant


def breaks_the_chain(patch: Patch) -> None:
    from pavane.effects.journal.writer import Writer

    right = Writer._chain  # pyright: ignore[reportPrivateUsage]

    def chain(self: Any, *what: Any) -> Any:
        if self.count == 2:
            self.hash = bytes(32)
        return right(self, *what)

    patch.setattr(Writer, "_chain", chain)


def writes_no_head(patch: Patch) -> None:
    from pavane.effects.journal.writer import Writer

    async def nothing(self: Any) -> None:
        return

    patch.setattr(Writer, "_write_head", nothing)


def gives_receipts_for_less(patch: Patch) -> None:
    from pavane.effects.flow.receipt import ReceiptChain

    right = ReceiptChain.issue

    def issue(self: Any, *args: Any, cost: int, **more: Any) -> Any:
        return right(self, *args, cost=cost - 1, **more)

    patch.setattr(ReceiptChain, "issue", issue)


def believes_everybody(patch: Patch) -> None:
    from pavane.effects.pipeline.transaction import BrokerDriver

    patch.setattr(BrokerDriver, "require", nothing_at_all)


def nobody_thanks(state: SimulationState) -> bool:
    return state.sent("Thanks") == 0


# --- durable sessions ----------------------------------------------------------------------


async def a(me: pavane.Endpoint) -> int:
    """Sends what nobody could foresee, as it was when it was first run."""
    drawn = await me.run(lambda: random.SystemRandom().randint(0, 10**6), name="draw")
    await me.send("One", drawn)
    await me.send("Two", drawn)
    await me.receive("Four")
    await me.send("Stop")
    await me.send("Done")
    return drawn


async def b(me: pavane.Endpoint) -> int:
    told: int = (await me.receive("One")).n
    await me.receive("Two")
    await me.send("Three", told)
    await me.receive("Stop")
    return told


GUESSING: Mapping[str, Implementation] = {"A": a, "B": b}


def all_know_the_same(state: SimulationState) -> bool:
    return not state.is_over or state.values["A"] == state.values["B"]


def runs_again(patch: Patch) -> None:
    """What was recorded of `me.run` is not looked at."""
    from pavane.actors.durable.recall import Recall
    from pavane.actors.durable.records import Ran

    right = Recall.next

    def following(self: Any, kind: Any, what: str) -> Any:
        number, recorded = right(self, kind, what)
        return number, None if kind is Ran else recorded

    patch.setattr(Recall, "next", following)


def names_records_alike(patch: Patch) -> None:
    """The records of a worker have the names that those of the worker before had."""
    from pavane.actors.durable.log import UnitLog

    right = UnitLog.__init__

    def made(self: Any, *args: Any) -> None:
        right(self, *args)
        self._id = self._id.rpartition(".")[0]

    patch.setattr(UnitLog, "__init__", made)


def takes_over_without_the_log(patch: Patch) -> None:
    from pavane.actors.durable import unit
    from pavane.actors.durable.history import History

    async def nothing(broker: Any, place: Any, *_: Any, **__: Any) -> History:
        return History(place)

    patch.setattr(unit, "read_unit", nothing)


def hears_live_alone(patch: Patch) -> None:
    """What did not come by itself is never read from the log."""
    patch.setattr("pavane.actors.durable.catching.Catching.begin", nothing_at_all)


def forgets_what_it_heard(patch: Patch) -> None:
    patch.setattr("pavane.actors.durable.stage.Stage.feed", nothing_at_all)


def ends_before_it_is_stored(patch: Patch) -> None:
    """Done, while what it has sent may still be on its way."""
    from pavane.actors.durable.log import UnitLog

    right = UnitLog.hand_over

    def hand_over(self: Any, subject: str, data: bytes) -> Any:
        if subject.split(".")[2] != "-" and self._count == 2:
            self._count += 1
            return None
        return right(self, subject, data)

    patch.setattr(UnitLog, "hand_over", hand_over)


BUGS = (
    Bug("a budget without a limit", spends_beyond, kinds=("budget",)),
    Bug("charged twice", charges_twice),
    Bug("never given back", keeps_what_is_left),
    Bug("a fact left out", drafting(lambda drafts: drafts[:1])),
    Bug("a fact too many", drafting(lambda drafts: drafts * 2)),
    Bug("a broken chain", breaks_the_chain),
    Bug("no head", writes_no_head),
    Bug("receipts for less", gives_receipts_for_less),
    Bug("every capability believed", believes_everybody, grants={"Payee": []},
        checks=(nobody_thanks,)),
    Bug("a call made again", runs_again, text=PLAIN, durable=True, kinds=("crash",), roles=GUESSING),
    Bug("records named alike", names_records_alike, text=PLAIN, durable=True, kinds=("crash",)),
    Bug("a takeover without the log", takes_over_without_the_log, text=PLAIN, durable=True, kinds=("crash",),
        roles=GUESSING, checks=(all_know_the_same,)),
    Bug("the log never read", hears_live_alone, text=PLAIN, durable=True, kinds=("loss", "partition")),
    Bug("receives forgotten", forgets_what_it_heard, text=PLAIN, durable=True, kinds=("crash",)),
    Bug("a record left out", ends_before_it_is_stored, text=PLAIN, durable=True, kinds=("crash",)),
)  # fmt: skip


QUICK = (
    "a budget without a limit",
    "never given back",
    "a fact left out",
    "a call made again",
    "the log never read",
)


def settings(bug: Bug) -> dict[str, Any]:
    return {field.name: getattr(bug, field.name) for field in fields(bug) if field.name not in OWN}


@pytest.mark.parametrize(
    "bug", [bug for bug in BUGS if bug.name in QUICK], ids=lambda bug: bug.name
)
def test_a36_a_planted_bug_is_found(bug: Bug, hunt: Hunt) -> None:
    assert hunt(bug.plant, 60, **settings(bug))


@pytest.mark.long
def test_a36_of_all_planted_bugs_most_are_found(hunt: Hunt) -> None:
    missed = [bug.name for bug in BUGS if not hunt(bug.plant, SEEDS, **settings(bug))]
    assert len(BUGS) >= 12
    assert len(missed) <= 0.05 * len(BUGS), missed


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_nothing_is_found_where_nothing_is_planted(bug: Bug, hunt: Hunt) -> None:
    assert not hunt(None, SEEDS, **settings(bug))
