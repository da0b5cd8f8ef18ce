"""What a check is given to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...broker.contract import Level
from ...broker.sim.faults import Fault
from ...language.errors import PavaneError
from ..events import Event, MessageReceived, MessageSent


@dataclass(frozen=True, slots=True)
class SimulationState:
    """A session as it stands. `events` are all until now, the last being what has just happened.

    `time` is in simulated seconds. `budgets` are the counters by name
    (`flow.namespace.Protocol.Role`), `faults` those that have struck. `values` and `errors` are what
    roles have come to, once they have; `is_over` once all have.
    """

    session: str
    time: float
    events: Sequence[Event]
    budgets: Mapping[str, Level]
    faults: Sequence[Fault]
    values: Mapping[str, object]
    errors: Mapping[str, PavaneError]
    is_over: bool = False

    @property
    def event(self) -> Event | None:
        """What has just happened; None at the end."""
        return None if self.is_over or not self.events else self.events[-1]

    def sent(self, label: str) -> int:
        """How many messages of this label were sent."""
        return sum(isinstance(e, MessageSent) and e.label == label for e in self.events)

    def received(self, label: str) -> int:
        """How many messages of this label were received."""
        return sum(isinstance(e, MessageReceived) and e.label == label for e in self.events)
