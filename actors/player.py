"""What plays sessions, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .choreography import Choreography
from .outcome import Outcome
from .players import Playing


class Player(Protocol):
    """A `Runtime`, or one that is simulated or resilient."""

    async def run(
        self,
        choreography: Choreography,
        implementations: Mapping[str, Playing] | None = None,
        /,
        *,
        bindings: Mapping[str, int] | None = None,
        session: str | None = None,
        durable: bool = False,
        input: Any = None,
        **roles: Playing,
    ) -> Outcome:
        """Play one session to its end; see `Runtime.run`."""
        ...
