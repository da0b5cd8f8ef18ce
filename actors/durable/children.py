"""The sessions that the roles of another have handed their work on to."""

from __future__ import annotations

from collections.abc import Iterable

from ...broker.contract import Broker
from .history import read
from .names import Place
from .records import Handed, Ran, Step


class Children:
    """Of one unit, as its `steps` say: those that were begun, by the call that began them, and as
    far as that call is not known to have come to something. The others are over."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._of: dict[tuple[int, str], dict[Place, None]] = {}
        for step in steps:
            self.add(step)

    def add(self, step: Step) -> None:
        match step:
            case Handed(index=index, call=call):
                self._of.setdefault((index, call), {})[_place(step)] = None
            case Ran(index=index, name=call, error=""):
                self._of.pop((index, call), None)
            case _:
                pass

    def has(self, step: Handed) -> bool:
        return _place(step) in self._of.get((step.index, step.call), {})

    @property
    def places(self) -> list[Place]:
        """Where the logs of those are that may go on."""
        return [place for places in self._of.values() for place in places]


async def children_of(broker: Broker, place: Place) -> list[Place]:
    """Those of all units of a session that may go on."""
    history = await read(broker, place, place.steps)
    return [child for steps in history.steps.values() for child in Children(steps).places]


def _place(step: Handed) -> Place:
    return Place(step.namespace, step.protocol, step.session)
