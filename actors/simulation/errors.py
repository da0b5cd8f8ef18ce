"""What a simulation can say.

ActorError
├── PropertyBroken     something that must always hold did not
├── PlanRefused        a plan of faults that cannot be
├── ConfigRefused      a configuration, or seeds, with which nothing would be shown
└── AlreadySimulating  a simulation is asked for where one runs
"""

from __future__ import annotations

from ..errors import ActorError


class PropertyBroken(ActorError):
    """`rule` did not hold at `seconds` of simulated time, with this `seed`; `details` says how."""

    code = "PV360"

    def __init__(self, rule: str, details: str, *, seed: int | str = "", seconds: float) -> None:
        self.rule = rule
        self.details = details
        self.seed = seed
        self.seconds = seconds
        super().__init__(
            f"{rule}: {details} (seed {seed}, after {seconds:.3f} simulated seconds)",
            hint="the same seed and faults show it again; `runtime.trace` is what happened",
        )


class PlanRefused(ActorError):
    """Faults in `place` that cannot be."""

    code = "PV361"

    def __init__(self, place: str, problem: str, *, hint: str) -> None:
        self.place = place
        super().__init__(f"{place}: {problem}", hint=hint)


class AlreadySimulating(ActorError):
    """A simulated runtime plays one session at a time."""

    code = "PV362"


class ConfigRefused(ActorError):
    """`field` of `place` is what it cannot be; without a place it is an argument."""

    code = "PV363"

    def __init__(
        self, field: str, problem: str, *, hint: str, place: str = "SimulationConfig"
    ) -> None:
        self.field = field
        super().__init__(f"{place}.{field} {problem}" if place else f"{field} {problem}", hint=hint)
