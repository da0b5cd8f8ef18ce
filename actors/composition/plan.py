"""One session that is to be played: what `Runtime.run` takes, for later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio

from ...broker.surroundings import unique
from ...language.errors import PavaneError
from ..choreography import Choreography
from ..durable.handle import SessionHandle
from ..durable.names import Place
from ..outcome import Outcome
from ..player import Player
from ..players import Playing
from ..runtime import Runtime
from .errors import InvalidComposition
from .stage import Accumulated, Playable, Stage

HANDED_ON: Final = object()
"""In place of an input: whatever the phase before came to."""

PARTING = 5.0
"""Seconds in which a log is told that nobody waits for its session."""


class SessionPlan(Playable[Outcome]):
    """A session of `choreography`, with what `Runtime.run` is told for it.

    `input` is what its roles find in `me.input`; unless it is given, that is what the phase before
    has come to. `session` names it in any case. A session by `workers` is durable, started
    with `Runtime.start`, where `patience` seconds are waited for workers.
    """

    def __init__(
        self,
        choreography: Choreography,
        implementations: Mapping[str, Playing] | None = None,
        /,
        *,
        bindings: Mapping[str, int] | None = None,
        session: str | None = None,
        durable: bool = False,
        workers: bool = False,
        patience: float = 0.0,
        input: Any = HANDED_ON,
        **roles: Playing,
    ) -> None:
        self.name = choreography.name
        self.choreography = choreography
        self.implementations: Mapping[str, Playing] = {**(implementations or {}), **roles}
        self.bindings = dict(bindings or {})
        self.session = session
        self.durable = durable or workers
        self.workers = workers
        self.patience = patience
        self.input = input

    async def play(self, stage: Stage, state: Accumulated) -> Outcome:
        given = state.handed_on if self.input is HANDED_ON else self.input
        session = self.session or stage.session
        if not (self.durable or stage.durable):
            return await stage.runtime.run(
                self.choreography,
                self.implementations,
                bindings=self.bindings,
                session=session,
                input=given,
            )
        session = session or unique(6)
        await stage.begins(self._place(session))
        try:
            return await self._kept(stage.runtime, session, given)
        except anyio.get_cancelled_exc_class():
            # A process that ends leaves its durable sessions for the next one to go on with.
            # They are over only where nobody will ask for them again.
            if stage.is_abandoned:
                await self._end(stage.runtime, session, stage.is_abandoned)
            raise

    def _place(self, session: str) -> Place:
        return Place(self.choreography.namespace, self.choreography.name, session)

    async def _kept(self, runtime: Player, session: str, given: Any) -> Outcome:
        if not self.workers:
            return await runtime.run(
                self.choreography,
                self.implementations,
                bindings=self.bindings,
                session=session,
                durable=True,
                input=given,
            )
        if not isinstance(runtime, Runtime):
            hint = "let it be played where it is run, or run it on what `pavane.open` gives"
            raise InvalidComposition(
                self.name, "is for workers, and is run where none are", hint=hint
            )
        handle = await runtime.start(
            self.choreography,
            session=session,
            bindings=self.bindings,
            input=given,
            patience=self.patience,
        )
        return await handle.result()

    async def _end(self, runtime: Player, session: str, reason: str) -> None:
        if not isinstance(runtime, Runtime):
            # What is simulated ends with its caller; which attempt a resilient runtime is at, it knows alone.
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(PARTING):
            try:
                await SessionHandle(runtime.broker, self._place(session)).cancel(reason)
            except PavaneError:
                # Why it was given up is what its caller hears of; a log that cannot be
                # reached is ended by an operator.
                return
