"""Whether those that a unit waits for are played by anybody at all: they are asked, and whoever
plays them answers. Outside the log, as it is of this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping
from typing import Annotated, Literal

import msgspec

from ...broker.frame import Control
from ..endpoint.seat import Seat
from ..part import Part
from .assignment import Assignment
from .lanes import DurableMailbox, DurableOutlet
from .names import NOBODY

WHO = "who"
"""The control verb of the question; its facts are the first instance of the unit that asks."""

HERE = "here"
"""That of the answer; its facts are the first instance of the unit, its end, and whether it rests."""

ANSWER = 0.5
"""Seconds in which whoever plays a unit answers."""

_Index = Annotated[int, msgspec.Meta(ge=0, le=9_999)]
_asked = msgspec.msgpack.Decoder(_Index)
_answered = msgspec.msgpack.Decoder(
    tuple[_Index, Annotated[int, msgspec.Meta(ge=0, le=10_000)], bool]
)

Instance = tuple[str, int]

Lack = Literal["rests", "waits", "alone"]
"""It waits for the end of another session; for somebody who does; for somebody whom nobody plays."""

ANOTHER: Instance = (NOBODY, 0)
"""Whom an instance waits for that waits for the end of another session: nobody of this one."""


class Company:
    """Of one unit. `say(role, index, control)` speaks to an instance of the session, or to all of
    its role with None. Instances that are `over` do nothing any more; `calling` counts the calls
    of `me.run` that each is in."""

    def __init__(
        self,
        unit: Assignment,
        seats: Mapping[Instance, Seat],
        say: Callable[[str, int | None, Control], None],
        over: Container[int],
        calling: Mapping[int, int],
        progress: Callable[[], int],
    ) -> None:
        self._unit = unit
        self._seats = seats
        self._say = say
        self._over = over
        self._calling = calling
        self.progress = progress
        """Counts the steps that its instances have taken."""
        self._here: list[tuple[str, int, int, bool]] = []

    def heard(self, role: str, control: Control) -> None:
        """A question is answered, an answer noted; anything else is ignored."""
        try:
            if control.verb == WHO:
                facts = msgspec.msgpack.encode((self._unit.start, self._unit.stop, self.rests))
                self._say(role, _asked.decode(control.facts), Control(HERE, facts))
            elif control.verb == HERE:
                self._here.append((role, *_answered.decode(control.facts)))
        except (msgspec.MsgspecError, ValueError):
            return

    def awaited(self) -> set[Instance]:
        """Whom the unit waits for; nobody where one of its instances is doing something else."""
        found: set[Instance] = set()
        for seat in self._seats.values():
            if seat.index in self._over:
                continue
            waits: set[Instance] = {ANOTHER} if seat.rests else set()
            if not self._calling.get(seat.index):
                waits = _awaited(seat)
            if not waits:
                return set()
            found |= waits
        return found

    @property
    def rests(self) -> bool:
        """Whether it waits for the end of another session."""
        return ANOTHER in self.awaited()

    async def lacks(self) -> Lack | None:
        """What keeps it from going on, if anything does for sure."""
        unit, wanted = self._unit, self.awaited()
        self._here = [(unit.role, unit.start, unit.stop, False)]
        facts = msgspec.msgpack.encode(unit.start)
        if ANOTHER in wanted:
            return "rests"
        for role in {role for role, _ in wanted}:
            self._say(role, None, Control(WHO, facts))
        await asyncio.sleep(ANSWER)
        found = [
            [rests for r, start, stop, rests in self._here if r == role and start <= index < stop]
            for role, index in wanted
        ]
        if not all(found):
            return "alone"
        return "waits" if any(all(answers) for answers in found) else None


def _awaited(seat: Seat) -> set[Instance]:
    """Whose message, or whose credit, an instance waits for."""
    found = {
        (role, i)
        for (role, index), outlet in seat.outbox.outlets.items()
        if isinstance(outlet, DurableOutlet) and outlet.is_waited_for
        for i in ([index] if index is not None else _others(seat.part, seat.index, role))
    }
    mailbox = seat.mailbox
    if isinstance(mailbox, DurableMailbox) and mailbox.is_waited_for:
        for step in seat.monitor.receives():
            for i in step.partners(seat.role, seat.index):
                inlet = mailbox.inlet(step.peer_role, i)
                if inlet is not None and not inlet.queue:
                    found.add((step.peer_role, i))
    return found


def _others(part: Part, own: int, role: str) -> list[int]:
    """All instances of a role, but for the one that asks."""
    return [i for i in range(part.sizes.get(role) or 1) if (role, i) != (part.role, own)]
