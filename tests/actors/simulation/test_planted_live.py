"""Bugs planted in machines, mailboxes, sessions and drivers: the simulation finds them, and finds
nothing where none is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
import pytest

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

SPREAD = """
protocol Spread {
    roles: A, B;
    loop (count: 4) { A[flow_cost = 1] -> B: One; }
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
    kinds: tuple[Kind, ...] = ()
    text: str = PLAIN


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
    from pavane.actors.mailbox.mailbox import Mailbox

    def accept(self: Any, lane: Any, messages: Any, size: int, lossy: bool) -> None:
        for message in messages:
            lane.last = max(lane.last, message.sequence)
            lane.inlet.late.append(message)
            if not lane.inlet.queue:
                lane.inlet.turn()
        self.wake()

    patch.setattr(Mailbox, "accept", accept)


def passes_over_gaps(patch: Patch) -> None:
    from pavane.actors.mailbox.mailbox import Mailbox

    right = Mailbox.accept

    def accept(self: Any, lane: Any, messages: Any, size: int, lossy: bool) -> None:
        if messages[0].sequence > lane.last + 1:
            lane.last = messages[0].sequence - 1
        right(self, lane, messages, size, lossy)

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

    patch.setattr("pavane.actors.mailbox.audience.Ack", ack)


def numbers_stand_still(patch: Patch) -> None:
    from pavane.actors.mailbox.outlet import Outlet

    right = Outlet.put

    def put(self: Any, *args: Any) -> None:
        right(self, *args)
        if self.next == 3:
            self.next = 2

    patch.setattr(Outlet, "put", put)


def reads_the_newest(patch: Patch) -> None:
    from pavane.actors.mailbox.inlet import Inlet

    right = Inlet.take

    def take(self: Any) -> Any:
        if self.unread > 1:
            self.queue, self.late = [*self.queue[::-1], *self.late], []
        return right(self)

    patch.setattr(Inlet, "take", take)
    patch.setattr(Inlet, "head", property(lambda self: (*self.queue[::-1], *self.late)[-1]))


def forgets_lives(patch: Patch) -> None:
    """A process that comes back passes for the one that was killed."""

    from pavane.actors.live.presence import Presence

    right = Presence.__init__

    def begun(self: Any, cast: Any, here: Any, *more: Any) -> None:
        right(self, cast, here, *more)
        self._life = "+".join(here)

    patch.setattr(Presence, "__init__", begun)


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


BUGS = (
    Bug("messages in another order", changed("A", two_before_one)),
    Bug("a step too far", changed("B", skipping)),
    Bug("a branch not known", changed("B", without("Again"))),
    Bug("an answer not waited for", changed("A", never_back)),
    Bug("duplicates kept", keeps_duplicates, kinds=("duplicate", "replay", "loss")),
    Bug("gaps passed over", passes_over_gaps, kinds=("reorder",), text=SPREAD),
    Bug("too much acknowledged", acknowledges_too_much, kinds=("loss", "partition")),
    Bug("nothing sent again", silenced("pavane.actors.live.outbox.LiveOutbox", "send_again"),
        kinds=("loss", "partition")),
    Bug("losses not noticed", silenced("pavane.actors.live.session.Session", "lost"), kinds=("loss",)),
    Bug("others not asked again", silenced("pavane.actors.live.session.Session", "heard"),
        kinds=("loss",)),
    Bug("the dead not noticed", silenced("pavane.actors.live.presence.Presence", "_watch"),
        kinds=("crash", "silence")),
    Bug("a new life not noticed", forgets_lives, kinds=("crash",)),
    Bug("numbers that stand still", numbers_stand_still),
    Bug("the newest read first", reads_the_newest),
    Bug("a driver that drops", drops_every(9)),
    Bug("a forged sender believed", anybody_may_speak_for_others, kinds=("forged_sender",)),
)  # fmt: skip


QUICK = (
    "messages in another order",
    "duplicates kept",
    "nothing sent again",
    "a new life not noticed",
    "a forged sender believed",
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
