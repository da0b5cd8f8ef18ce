"""One role of one version of a protocol, as a worker serves it."""

from __future__ import annotations

from ...broker.subjects import DEFAULT_NAMESPACE
from ..choreography import Choreography
from ..playing import Implementation
from . import places
from .restart import Restart


class Part:
    """`running` counts the instances that are played, `resting` those of them that can do nothing
    until another session is over; `lacks` are capabilities that its steps ask
    for and that the worker has not been granted."""

    def __init__(self, choreography: Choreography, role: str, lacks: tuple[str, ...] = ()) -> None:
        self.choreography = choreography
        self.role = role
        self.lacks = lacks
        self.running = 0
        self.resting = 0
        self.namespace = choreography.namespace or DEFAULT_NAMESPACE
        self.fingerprint = choreography.compiled.fingerprint
        self.topic = places.topic(choreography.name, role, self.fingerprint)

    @property
    def active(self) -> int:
        return self.running - self.resting

    @property
    def implementation(self) -> Implementation:
        return self.choreography.implementations[self.role]

    @property
    def restart(self) -> Restart:
        return self.choreography.restarts.get(self.role) or Restart()
