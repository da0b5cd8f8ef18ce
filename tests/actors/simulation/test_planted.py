"""Bugs planted in machines, mailboxes, drivers, budgets, journals and logs: the simulation finds
them, and finds nothing where none is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

import pavane
from pavane.actors.playing import Implementation
from pavane.actors.simulation.campaign import Campaign
from pavane.actors.simulation.state import SimulationState
from pavane.actors.standin import StandIn
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


def stood_in(protocol: pavane.Choreography) -> dict[str, Implementation]:
    return {role: StandIn(1) for role in protocol.roles}


@dataclass(frozen=True)
class Bug:
    name: str
    plant: Callable[[Patch], None]
    text: str = PLAIN
    durable: bool = False
    kinds: tuple[Kind, ...] = ()
    budgets: Mapping[str, int] | None = None
    grants: Mapping[str, list[str]] | None = None
    play: Callable[[pavane.Choreography], dict[str, Implementation]] = stood_in
    checks: tuple[Callable[[SimulationState], object], ...] = ()

    def campaign(self) -> Campaign:
        protocol = pavane.load(self.text)
        config = pavane.SimulationConfig(
            faults=self.kinds, durable=self.durable, budgets=self.budgets, grants=self.grants,
            checks=list(self.checks),
        )  # fmt: skip
        return Campaign(protocol, self.play(protocol), config, {})


# --- machines ------------------------------------------------------------------------------


def changed(role: str, change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """What plays a role follows a machine that is not the protocol's."""

    def plant(patch: Patch) -> None:
        from pavane.actors import part
        from pavane.language.table import Table

        def table(machine: Any) -> Table:
            return Table(change(machine) if machine.role == role else machine)

        patch.setattr(part, "Table", table)

    return plant


def with_transitions(machine: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    return replace(machine, transitions=tuple(change(list(machine.transitions))))


def two_before_one(machine: Any) -> Any:
    def swap(found: list[Any]) -> list[Any]:
        first, second, *rest = found
        return [
            msgspec.structs.replace(first, action=second.action),
            msgspec.structs.replace(second, action=first.action),
            *rest,
        ]

    return with_transitions(machine, swap)


def skipping(machine: Any) -> Any:
    """Its first step leads to where the second one should."""

    def skip(found: list[Any]) -> list[Any]:
        first, second, *rest = found
        return [msgspec.structs.replace(first, target=second.target), second, *rest]

    return with_transitions(machine, skip)


def without(label: str) -> Callable[[Any], Any]:
    return lambda machine: with_transitions(
        machine, lambda found: [t for t in found if t.action.label != label]
    )


def never_back(machine: Any) -> Any:
    """The branch that is to be answered is not waited for."""

    def drop(found: list[Any]) -> list[Any]:
        back = next(t for t in found if t.action.label == "Back")
        again = next(t for t in found if t.action.label == "Again")
        kept = [t for t in found if t not in (back, again)]
        return [*kept, msgspec.structs.replace(again, target=back.target)]

    return with_transitions(machine, drop)


# --- mailboxes, lanes and live sessions ----------------------------------------------------


def keeps_duplicates(patch: Patch) -> None:
    from pavane.actors.mailbox import Mailbox

    def accept(self: Any, lane: Any, messages: Any, size: int, *, lossy: bool) -> None:
        for message in messages:
            lane.last = max(lane.last, message.sequence)
            lane.inlet.queue.append((lane, message))
        self.wake()

    patch.setattr(Mailbox, "accept", accept)


def passes_over_gaps(patch: Patch) -> None:
    from pavane.actors.mailbox import Mailbox

    right = Mailbox.accept

    def accept(self: Any, lane: Any, messages: Any, size: int, *, lossy: bool) -> None:
        if messages[0].sequence > lane.last + 1:
            lane.last = messages[0].sequence - 1
        right(self, lane, messages, size, lossy=lossy)

    patch.setattr(Mailbox, "accept", accept)


def nothing_at_all(*_: object, **__: object) -> None:
    """In place of what should be done."""


def silenced(path: str, name: str) -> Callable[[Patch], None]:
    """A method that does nothing."""

    def plant(patch: Patch) -> None:
        patch.setattr(f"{path}.{name}", nothing_at_all)

    return plant


def acknowledges_too_much(patch: Patch) -> None:
    from pavane.broker.frame import Ack

    def ack(received: int, credit: int) -> Ack:
        return Ack(received + 1, credit)

    patch.setattr("pavane.actors.session.Ack", ack)


def numbers_stand_still(patch: Patch) -> None:
    from pavane.actors.outlet import Outlet

    right = Outlet.put

    def put(self: Any, *args: Any) -> None:
        right(self, *args)
        if self.next == 3:
            self.next = 2

    patch.setattr(Outlet, "put", put)


def reads_the_newest(patch: Patch) -> None:
    from pavane.actors.inlet import Inlet

    right = Inlet.take

    def take(self: Any) -> Any:
        if self.unread > 1:
            self.queue[self.at :] = reversed(self.queue[self.at :])
        return right(self)

    patch.setattr(Inlet, "take", take)
    patch.setattr(Inlet, "head", property(lambda self: self.queue[-1][1]))


def forgets_lives(patch: Patch) -> None:
    """A process that comes back passes for the one that was killed."""

    def unique(count: int) -> str:
        return "same"

    patch.setattr("pavane.actors.presence.unique", unique)


# --- drivers -------------------------------------------------------------------------------


def drops_every(nth: int) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        from pavane.broker.memory.hub import Hub

        right, counted = Hub.publish, [0]

        def publish(self: Any, subject: str, payload: bytes) -> None:
            counted[0] += 1
            if counted[0] % nth:
                right(self, subject, payload)

        patch.setattr(Hub, "publish", publish)

    return plant


def anybody_may_speak_for_others(patch: Patch) -> None:
    """No permissions on the server, and mailboxes that believe whatever comes next."""
    from pavane.broker.sim.connection import SimBroker

    def may(self: Any, subject: str) -> bool:
        return True

    patch.setattr(SimBroker, "_may", may)


# --- budgets and journals ------------------------------------------------------------------


def spends_beyond(patch: Patch) -> None:
    import pavane.broker.level as levels
    from pavane.broker.contract import Level

    def spent(counter: str, level: Level, amount: int) -> Level:
        return msgspec.structs.replace(level, spent=level.spent + amount)

    patch.setattr(levels, "spent", spent)


def charges_twice(patch: Patch) -> None:
    from pavane.effects.budget import Budgets

    right = Budgets.charge

    async def charge(self: Any, *args: Any, **more: Any) -> Any:
        await right(self, *args, **more)
        return await right(self, *args, **more)

    patch.setattr(Budgets, "charge", charge)


def keeps_what_is_left(patch: Patch) -> None:
    """A lease forgets to give back what it has drawn ahead."""
    from pavane.effects.lease import Lease

    async def release(self: Any, *, recalled: bool = False) -> None:
        self.held = False

    patch.setattr(Lease, "release", release)


def drafting(change: Callable[[list[Any]], list[Any]]) -> Callable[[Patch], None]:
    """Other facts than the step has."""

    def plant(patch: Patch) -> None:
        from pavane.effects.transaction import BrokerTransaction

        right = BrokerTransaction._fact_drafts  # pyright: ignore[reportPrivateUsage]

        def drafts(self: Any) -> list[Any]:
            return change(right(self))

        patch.setattr(BrokerTransaction, "_fact_drafts", drafts)

    return plant


def breaks_the_chain(patch: Patch) -> None:
    from pavane.effects.writer import Writer

    right = Writer._chain  # pyright: ignore[reportPrivateUsage]

    def chain(self: Any, draft: Any) -> Any:
        if self.count == 2:
            self.hash = bytes(32)
        return right(self, draft)

    patch.setattr(Writer, "_chain", chain)


def writes_no_head(patch: Patch) -> None:
    from pavane.effects.writer import Writer

    async def nothing(self: Any) -> None:
        return

    patch.setattr(Writer, "_write_head", nothing)


def gives_receipts_for_less(patch: Patch) -> None:
    from pavane.effects.receipt import ReceiptChain

    right = ReceiptChain.issue

    def issue(self: Any, *args: Any, cost: int, **more: Any) -> Any:
        return right(self, *args, cost=cost - 1, **more)

    patch.setattr(ReceiptChain, "issue", issue)


def believes_everybody(patch: Patch) -> None:
    from pavane.effects.transaction import BrokerDriver

    patch.setattr(BrokerDriver, "require", nothing_at_all)


def nobody_thanks(state: SimulationState) -> bool:
    return state.sent("Thanks") == 0


# --- durable sessions ----------------------------------------------------------------------


def guessing(protocol: pavane.Choreography) -> dict[str, Implementation]:
    """Its role A sends what nobody could foresee, as it was when it was first run."""

    async def a(me: pavane.Endpoint) -> int:
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

    return {**stood_in(protocol), "A": a, "B": b}


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
    silenced("pavane.actors.durable.catching.Catching", "begin")(patch)


def forgets_what_it_heard(patch: Patch) -> None:
    silenced("pavane.actors.durable.stage.Stage", "feed")(patch)


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
    Bug("messages in another order", changed("A", two_before_one)),
    Bug("a step too far", changed("B", skipping)),
    Bug("a branch not known", changed("B", without("Again"))),
    Bug("an answer not waited for", changed("A", never_back)),
    Bug("duplicates kept", keeps_duplicates, kinds=("duplicate", "replay", "loss")),
    Bug("gaps passed over", passes_over_gaps, kinds=("reorder", "loss")),
    Bug("too much acknowledged", acknowledges_too_much, kinds=("loss", "partition")),
    Bug("nothing sent again", silenced("pavane.actors.outlet.Outbox", "send_again"),
        kinds=("loss", "partition")),
    Bug("losses not noticed", silenced("pavane.actors.session.Session", "lost"), kinds=("loss",)),
    Bug("others not asked again", silenced("pavane.actors.session.Session", "heard"),
        kinds=("loss",)),
    Bug("the dead not noticed", silenced("pavane.actors.presence.Presence", "_watch"),
        kinds=("crash", "silence")),
    Bug("a new life not noticed", forgets_lives, kinds=("crash",)),
    Bug("numbers that stand still", numbers_stand_still),
    Bug("the newest read first", reads_the_newest),
    Bug("a driver that drops", drops_every(9)),
    Bug("a forged sender believed", anybody_may_speak_for_others, kinds=("forged_sender",)),
    Bug("a budget without a limit", spends_beyond, text=PAID, kinds=("budget",)),
    Bug("charged twice", charges_twice, text=PAID),
    Bug("never given back", keeps_what_is_left, text=PAID),
    Bug("a fact left out", drafting(lambda drafts: drafts[:1]), text=PAID),
    Bug("a fact too many", drafting(lambda drafts: drafts * 2), text=PAID),
    Bug("a broken chain", breaks_the_chain, text=PAID),
    Bug("no head", writes_no_head, text=PAID),
    Bug("receipts for less", gives_receipts_for_less, text=PAID),
    Bug("every capability believed", believes_everybody, text=PAID, grants={"Payee": []},
        checks=(nobody_thanks,)),
    Bug("a call made again", runs_again, durable=True, kinds=("crash",), play=guessing),
    Bug("records named alike", names_records_alike, durable=True, kinds=("crash",)),
    Bug("a takeover without the log", takes_over_without_the_log, durable=True, kinds=("crash",),
        play=guessing, checks=(all_know_the_same,)),
    Bug("the log never read", hears_live_alone, durable=True, kinds=("loss", "partition")),
    Bug("receives forgotten", forgets_what_it_heard, durable=True, kinds=("crash",)),
    Bug("a record left out", ends_before_it_is_stored, durable=True, kinds=("crash",)),
)  # fmt: skip

SEEDS = 400


def found(bug: Bug, seeds: int = SEEDS) -> str:
    """What the simulation says; empty if it finds nothing."""
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        report = bug.campaign().run(range(seeds))
    return "" if report.failure is None else f"{report.seeds}: {report.failure.error.message}"


QUICK = (
    "messages in another order",
    "duplicates kept",
    "nothing sent again",
    "a new life not noticed",
    "a forged sender believed",
    "a budget without a limit",
    "never given back",
    "a fact left out",
    "a call made again",
    "the log never read",
)


@pytest.mark.parametrize(
    "bug", [bug for bug in BUGS if bug.name in QUICK], ids=lambda bug: bug.name
)
def test_a36_a_planted_bug_is_found(bug: Bug) -> None:
    assert found(bug, 60)


@pytest.mark.long
def test_a36_of_all_planted_bugs_most_are_found() -> None:
    missed = [bug.name for bug in BUGS if not found(bug)]
    assert len(BUGS) >= 20
    assert len(missed) <= 0.05 * len(BUGS), missed


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_nothing_is_found_where_nothing_is_planted(bug: Bug) -> None:
    report = bug.campaign().run(range(SEEDS))
    assert report.ok, report.failure
