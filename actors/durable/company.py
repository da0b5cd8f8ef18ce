"""Whether those that a unit waits for are played by anybody at all: they are asked, and whoever
plays them answers. Outside the log, as it is of this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping
from typing import Annotated

import msgspec

from ...broker.frame import Control
from ..part import Part
from ..seat import Seat
from .assignment import Assignment
from .lanes import DurableMailbox, DurableOutlet

WHO = "who"
"""The control verb of the question; its facts are the first instance of the unit that asks."""

HERE = "here"
"""That of the answer; its facts are the first instance of the unit and its end."""

ANSWER = 0.5
"""Seconds in which whoever plays a unit answers."""

_Index = Annotated[int, msgspec.Meta(ge=0, le=9_999)]
_asked = msgspec.msgpack.Decoder(_Index)
_answered = msgspec.msgpack.Decoder(tuple[_Index, Annotated[int, msgspec.Meta(ge=0, le=10_000)]])

Instance = tuple[str, int]


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
        self._here: list[tuple[str, int, int]] = []

    def heard(self, role: str, control: Control) -> None:
        """A question is answered, an answer noted; anything else is ignored."""
        try:
            if control.verb == WHO:
                facts = msgspec.msgpack.encode((self._unit.start, self._unit.stop))
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
            waits: set[Instance] = set() if self._calling.get(seat.index) else _awaited(seat)
            if not waits:
                return set()
            found |= waits
        return found

    async def lacks(self) -> bool:
        """Whether some of those that it waits for are played by nobody."""
        unit, wanted = self._unit, self.awaited()
        self._here = [(unit.role, unit.start, unit.stop)]
        facts = msgspec.msgpack.encode(unit.start)
        for role in {role for role, _ in wanted}:
            self._say(role, None, Control(WHO, facts))
        await asyncio.sleep(ANSWER)
        return not all(
            any(role == r and start <= index < stop for r, start, stop in self._here)
            for role, index in wanted
        )


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
