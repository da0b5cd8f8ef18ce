"""Many seeds, one after the other, until one shows something that should not be."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ...broker.sim.faults import Fault
from ...broker.sim.trace import Entry
from ...effects.errors import EffectError, LeakageExhausted
from ...language.errors import PavaneError
from ..choreography import Choreography
from ..errors import RoleFailed
from ..players import Playing, all_players
from ..playing import Implementation
from ..standin import StandIn
from .admission import numbers, require_roles, require_sound
from .config import SimulationConfig
from .errors import AlreadySimulating, PropertyBroken
from .kit import Kit
from .plan import drawn
from .world import World

SESSION = "simulated"

CALM = (0.001, 0.001)
"""Every hop takes the same time."""

Progress = Callable[[int, "Report"], None]
"""Called after each seed, with how many there were."""


@dataclass(frozen=True, slots=True)
class Trial:
    """All that decides what happens in one simulated session, beside the code."""

    seed: int
    faults: tuple[Fault, ...]
    shuffled: bool = True
    latency: tuple[float, float] = CALM


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that went wrong, why, and what happened in it. `rule` is what did not hold."""

    trial: Trial
    error: PavaneError
    rule: str
    entries: tuple[Entry, ...] = field(repr=False, default=())

    @property
    def trace(self) -> str:
        return "".join(f"{entry}\n" for entry in self.entries)


@dataclass
class Report:
    """What a campaign came to. `ended` counts sessions by how they ended: `done`, or the code of
    an error; `struck` counts the faults. `failure` is the first, `smallest` what is left of it when
    all is taken away that it does not need."""

    seeds: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    struck: Counter[str] = field(default_factory=Counter[str])
    failure: Failure | None = None
    smallest: Failure | None = None

    @property
    def ok(self) -> bool:
        return self.failure is None


class Campaign:
    """Runs trials of one choreography. `bindings` are its counts; raises `BindingError`, and what a
    `SimulationConfig` raises for what cannot be."""

    def __init__(
        self,
        choreography: Choreography,
        playing: Mapping[str, Implementation],
        config: SimulationConfig,
        bindings: Mapping[str, int],
    ) -> None:
        require_sound(config)
        require_roles(config, choreography, choreography.roles)
        self.choreography = choreography
        self.config = config
        self._playing = playing
        bound = choreography.bind(**bindings)
        bound.project()  # a count that is missing is no failure of a session
        self._bindings = bound.bindings
        self.on_trace: Callable[[str], None] | None = None
        """Called with all that happened in a session, when it is over."""
        self._kit = Kit(config)

    def trial(self, seed: int) -> Trial:
        """That of a seed: faults as planned, or as the seed draws them."""
        config = self.config
        faults = config.plan
        if faults is None:
            faults = drawn(f"{seed}/1", self.choreography, config, config.durable)
        return Trial(seed, tuple(faults), config.shuffled, config.latency)

    def attempt(self, trial: Trial, report: Report | None = None) -> Failure | None:
        """Play it; what went wrong, if anything did that its faults do not explain."""
        config = replace(self.config, shuffled=trial.shuffled, latency=trial.latency)
        world = World(trial.seed, config, self._kit)
        error: PavaneError | None = None
        try:
            world.play(
                self.choreography, self._players(trial.seed), bindings=self._bindings, session=SESSION,
                faults=trial.faults, durable=config.durable,
            )  # fmt: skip
        except PavaneError as raised:
            error = raised
        struck = world.network.struck
        if report is not None:
            report.ended["done" if error is None else error.code] += 1
            report.struck.update(fault.kind for fault in struck)
        world.close()
        if self.on_trace is not None:
            self.on_trace("".join(f"{entry}\n" for entry in world.trace))
        rule = "" if self._is_refused(error) else _rule(error, struck)
        if error is None or not rule:
            return None
        error.__traceback__ = None
        return Failure(trial, error, rule, tuple(world.trace))

    def _players(self, seed: int) -> dict[str, Implementation]:
        """Stand-ins take other branches with each seed."""
        stand_in = StandIn(seed)
        return {
            role: stand_in if isinstance(playing, StandIn) else playing
            for role, playing in self._playing.items()
        }

    def _is_refused(self, error: PavaneError | None) -> bool:
        """Whether a role was refused what it was not given."""
        given = self.config.grants is not None or self.config.budgets is not None
        if isinstance(error, LeakageExhausted):
            return self.config.leakage is not None
        return given and isinstance(error, EffectError)

    def run(self, seeds: Iterable[int], progress: Progress = lambda done, report: None) -> Report:
        """Stops at the first failure, which is not shrunk yet."""
        report = Report()
        with _quick_collections():
            for seed in seeds:
                report.failure = self.attempt(self.trial(seed), report)
                report.seeds += 1
                progress(report.seeds, report)
                if report.failure is not None:
                    break
        return report


@contextmanager
def _quick_collections() -> Generator[None]:
    """Each session leaves cycles behind. Looking through all modules for them, again and again,
    took a seventh of the time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _rule(error: PavaneError | None, struck: Sequence[Fault]) -> str:
    """What did not hold; empty for an end that is to be expected."""
    match error:
        case None:
            return ""
        case PropertyBroken():
            return error.rule
        case RoleFailed():
            return f"no role fails: {type(error.__cause__).__name__}"
        case _:
            return "" if struck else f"a session ends well when nothing goes wrong: {error.code}"


def simulate(
    choreography: Choreography,
    implementations: Mapping[str, Playing] | None = None,
    /,
    *,
    seeds: int | Iterable[int] = 1000,
    config: SimulationConfig | None = None,
    bindings: Mapping[str, int] | None = None,
    progress: Progress = lambda done, report: None,
    **roles: Playing,
) -> Report:
    """Play a session for each seed (a number of them, or the seeds themselves) until one fails,
    and shrink that: `report.smallest` has the fewest faults that still show it.

    Takes no event loop and must not be called on one: raises `AlreadySimulating` there, and
    `UnknownRole`, `MissingRole`, `BindingError`, `UnknownGrantee` as `Runtime.run` does; and
    `ConfigRefused` or `PlanRefused` for a `config` that does not fit, or where there is no seed.
    """
    from .shrink import shrunk

    if asyncio._get_running_loop() is not None:  # pyright: ignore[reportPrivateUsage]
        raise AlreadySimulating(
            "simulate makes event loops of its own",
            hint="call it outside of async code, or use `for_simulation` there",
        )
    playing = all_players(choreography, {**(implementations or {}), **roles})
    campaign = Campaign(choreography, playing, config or SimulationConfig(), bindings or {})
    report = campaign.run(numbers(seeds), progress)
    if report.failure is not None:
        report.smallest = shrunk(campaign, report.failure)
    return report
