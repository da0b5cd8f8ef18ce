"""What becomes of an instance whose function has failed: played again, or its session's end.

Playing it again replays its log first: what it has sent, received and recorded stands, so that a
restart repeats only what came after. A failure that the code itself is the reason of comes
back at the same place; one of the surroundings may have passed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ...effects.errors import InvalidEffect
from ...effects.resilience.policy import retryable
from ...effects.resilience.retry import Retry
from ..errors import StepTimedOut

Kind = Literal["permanent", "transient", "temporary"]


@dataclass(frozen=True, slots=True)
class Restart:
    """Which failures of a role are followed by a restart, and how often.

    `permanent` restarts after every failure; `transient` after those that may pass by themselves
    (`retryable`: a lost connection, a timeout of a call); `temporary` never. More than `intensity`
    restarts of one instance within `period` seconds are too many: the last failure ends the session.
    Before each one there is a pause as `pause` says. None follows a `StepTimedOut`: what the protocol
    says of time holds whatever the policy is.

        @shop.role("Seller", restart=pavane.Restart("permanent", intensity=5, period=60))
    """

    kind: Kind = "transient"
    intensity: int = 3
    period: float = 60.0
    pause: Retry = field(default_factory=lambda: Retry(base=0.1, cap=10.0))

    def __post_init__(self) -> None:
        if self.kind not in ("permanent", "transient", "temporary"):
            raise InvalidEffect("kind", self.kind, "permanent, transient or temporary")
        if self.intensity < 0:
            raise InvalidEffect("intensity", self.intensity, "a whole number from 0")
        if not self.period > 0:
            raise InvalidEffect("period", self.period, "a number of seconds above 0")


class Supervisor:
    """Decides for one unit; `now` is a clock in seconds that never goes back."""

    def __init__(self, policy: Restart, now: Callable[[], float]) -> None:
        self._policy = policy
        self._now = now
        self._restarts: deque[float] = deque()

    def after(self, error: Exception) -> float | None:
        """The seconds until the unit is to be played again, or None: it has failed for good."""
        policy = self._policy
        if isinstance(error, StepTimedOut):
            return None
        if policy.kind == "temporary" or (policy.kind == "transient" and not retryable(error)):
            return None
        now = self._now()
        while self._restarts and now - self._restarts[0] >= policy.period:
            self._restarts.popleft()
        if len(self._restarts) >= policy.intensity:
            return None
        self._restarts.append(now)
        return policy.pause.delay(len(self._restarts))
