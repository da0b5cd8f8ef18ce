"""A simulated world: a loop, a network, and the sessions that follow each other on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...broker.sim.faults import Fault
from ...broker.sim.loop import VirtualLoop
from ...broker.sim.network import Network
from ...broker.sim.trace import Entry
from ..choreography import Choreography
from ..outcome import Outcome
from ..playing import Implementation
from .config import SimulationConfig
from .kit import Kit
from .outline import outline_of
from .session import SimulatedSession


class World:
    """Keeps what its sessions leave behind, as a server does. `faults` strike the next session."""

    def __init__(self, seed: int | str, config: SimulationConfig, kit: Kit) -> None:
        self.seed = seed
        self.config = config
        self.kit = kit
        self.loop = VirtualLoop.begun(seed, shuffled=config.shuffled)
        self.network = Network(self.loop, seed, latency=config.latency, strike=self._strike)
        self._session: SimulatedSession | None = None

    @property
    def trace(self) -> list[Entry]:
        return self.network.trace

    def play(
        self,
        choreography: Choreography,
        playing: Mapping[str, Implementation],
        *,
        bindings: Mapping[str, int],
        session: str,
        faults: Sequence[Fault] = (),
        durable: bool = False,
        given: Any = None,
    ) -> Outcome:
        """One session to its end. Raises what ended it early, or `PropertyBroken`."""
        made = SimulatedSession(
            self, choreography, playing, bindings, session, durable=durable, given=given
        )
        self._session = made
        self.network.expect(faults)
        self.network.labels = outline_of(choreography.compiled).labels
        try:
            return made.play(faults)
        finally:
            self._session = None

    def _strike(self, fault: Fault) -> None:
        if self._session is not None:
            self._session.strike(fault)

    def close(self) -> None:
        self.loop.close()
