"""A runtime whose sessions are simulated: `for_simulation`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

import anyio.to_thread

from ...broker.sim.loop import VirtualLoop
from ...broker.sim.trace import Entry
from ..choreography import Choreography
from ..errors import RuntimeClosed
from ..outcome import Outcome
from ..players import Playing, all_players
from ..playing import Implementation
from .admission import require_roles, require_sound
from .config import SimulationConfig
from .errors import AlreadySimulating
from .kit import Kit
from .plan import drawn
from .world import World


class SimulatedRuntime:
    """Made by `for_simulation`. Sessions follow each other in one world, whose budgets, journals and
    clock go on; their role functions run in a thread, on an event loop of virtual time."""

    def __init__(
        self, seed: int, config: SimulationConfig | None = None, *, kit: Kit | None = None
    ) -> None:
        self.seed = seed
        self.config = config or SimulationConfig(faults=())
        require_sound(self.config)
        self._roles: set[str] = set()
        self._kit = kit or Kit(self.config)
        self._world = World(seed, self.config, self._kit)
        self._count = 0
        self._turn = anyio.Lock()
        self._closed = False

    @property
    def trace(self) -> str:
        """All that has happened, a line each; the same for the same seed and sessions."""
        return "".join(f"{entry}\n" for entry in self._world.trace)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The lines of the trace."""
        return tuple(self._world.trace)

    async def run(
        self,
        choreography: Choreography,
        implementations: Mapping[str, Playing] | None = None,
        /,
        *,
        bindings: Mapping[str, int] | None = None,
        session: str | None = None,
        durable: bool | None = None,
        input: Any = None,
        **roles: Playing,
    ) -> Outcome:
        """Play one session to its end, as `Runtime.run` does, each role in a process of its own and
        under the faults of the seed. Of several at once, as a `Parallel` has them, each is played
        when the one before is over. Raises as that does, and `PropertyBroken`."""
        playing = all_players(choreography, {**(implementations or {}), **roles})
        if self._closed:
            raise RuntimeClosed("the runtime is closed", hint="use it inside its async with block")
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            hint = "hand work on with pavane.delegate(me, ...): `me.runtime` is simulated"
            raise AlreadySimulating("a role cannot start a simulation of its own", hint=hint)
        context = copy_context()
        async with self._turn:
            return await anyio.to_thread.run_sync(
                lambda: context.run(
                    self.play, choreography, playing, bindings or {}, session, durable, input
                )
            )

    def play(
        self,
        choreography: Choreography,
        playing: Mapping[str, Implementation],
        bindings: Mapping[str, int],
        session: str | None = None,
        durable: bool | None = None,
        given: Any = None,
    ) -> Outcome:
        """As `run`, in this thread, which must have no running event loop."""
        self._roles.update(choreography.roles)
        require_roles(self.config, choreography, self._roles)
        self._count += 1
        lasting = self.config.durable if durable is None else durable
        bound = {**choreography.bindings, **bindings}
        faults = self.config.plan
        if faults is None:
            faults = drawn(f"{self.seed}/{self._count}", choreography, self.config, lasting)
        return self._world.play(
            choreography, playing, bindings=bound, session=session or f"s{self._count}",
            faults=faults, durable=lasting, given=given,
        )  # fmt: skip

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._world.close()


@asynccontextmanager
async def for_simulation(
    seed: int = 0, config: SimulationConfig | None = None
) -> AsyncGenerator[SimulatedRuntime]:
    """A runtime without a server and without real time; the same seed gives the same trace, byte for
    byte. Without a `config` nothing goes wrong but the order in which processes run, and when
    messages arrive."""
    runtime = SimulatedRuntime(seed, config)
    try:
        yield runtime
    finally:
        runtime.close()
