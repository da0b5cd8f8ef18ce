"""Sessions one after the other, each with what those before it have come to."""

from __future__ import annotations

from .errors import PhaseFailed
from .member import Member, named, perform
from .stage import Accumulated, Playable, Stage


class Sequence(Playable[Accumulated]):
    """Phases: each begins when the one before has ended, all roles of it.

        flow = pavane.Sequence(identify, negotiate, settle=lambda so_far: pavane.SessionPlan(
            settlement, input=so_far["negotiate"]["Buyer"]
        ))
        done = await flow.run(runtime)
        done["settle"]["Seller"]

    A phase is a choreography (its roles find in `me.input` what the phase before came to), a
    `SessionPlan`, another composition, or a function of what was `Accumulated` that returns
    one of these. Raises `InvalidComposition` for anything else; when a phase fails, `run` raises
    `PhaseFailed`, and the later ones are not begun.
    """

    def __init__(self, *phases: Member, **named_phases: Member) -> None:
        self.name = "sequence"
        self.phases = named("Sequence", phases, named_phases)

    async def play(self, stage: Stage, state: Accumulated) -> Accumulated:
        so_far = Accumulated(state.handed_on)
        for name, phase in self.phases.items():
            try:
                result = await perform(name, phase, stage.within(name), so_far)
            except Exception as error:
                left = list(self.phases)[len(so_far.results) + 1 :]
                raise PhaseFailed(name, error, so_far.results, left) from error
            so_far = so_far.and_(name, result)
        return so_far
