"""What a simulation finds out about what runs in it.

BrokerError
├── Stuck      nothing will happen any more, and somebody waits
└── Endless    something goes on for ever
"""

from __future__ import annotations

from ..errors import BrokerError


class Stuck(BrokerError):
    """After `seconds` of simulated time nothing was ready and no timer was set."""

    code = "PV340"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"after {seconds:.3f} simulated seconds nothing could happen any more",
            hint="what runs in a simulation can wait for time and for messages, not for sockets, "
            "threads or other processes",
        )


class Endless(BrokerError):
    """`steps` callbacks were run, and no end came."""

    code = "PV341"

    def __init__(self, steps: int, seconds: float) -> None:
        self.steps = steps
        self.seconds = seconds
        super().__init__(
            f"no end after {steps} steps and {seconds:.3f} simulated seconds",
            hint="look for a loop that waits for nothing",
        )
