"""A runtime: one connection to a broker, and the sessions that are run over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio

from ..broker.contract import Broker
from ..broker.errors import BrokerError
from ..broker.surroundings import unique
from ..effects.capability.tokens import Authority, PublicKey
from ..effects.flow.budget import Budgets
from ..effects.identity import Identity
from ..effects.journal.journal import Journal
from ..effects.pipeline.audit import Audit
from ..effects.pipeline.pipeline import Pipeline
from ..language.errors import PavaneError
from .around import NOTHING, Around
from .cast import Cast, Casts
from .choreography import Choreography
from .devices import fitting
from .errors import (
    Conflict,
    MissingRole,
    RuntimeClosed,
    SessionExists,
    UnknownGrantee,
    UnknownSession,
)
from .events import Event, MessageReceived, MessageSent
from .grants import Grants
from .live.session import GRACE, PARTING, Session
from .log import record, wants_messages
from .mailbox.switchboard import Switchboard
from .outcome import Outcome
from .players import Playing, all_players, players
from .playing import Implementation
from .programs.admission import fitting as fitting_programs
from .wallet import Held, Wallet

if TYPE_CHECKING:
    # What durable sessions need is loaded with the first: most processes have live ones only.
    from .durable.assignment import Assignment
    from .durable.fencing import Taker
    from .durable.handle import SessionHandle
    from .durable.hosting import Hosting
    from .durable.replay import Replayed
    from .durable.unit import Unit
    from .workers.starting import Starting

Observer = Callable[[Event], None]
"""Called at once, on the event loop, in order. It must not block and must not raise."""


class Runtime:
    """Made by `open`; ends with its `async with` block.

    `grants` are what each role may do and spend, and what observers may learn: a role that is not
    in it gets the capabilities that its own steps ask for, and `PLENTY` to spend, unless its
    budget is there already. The `wallet` has the roles' tokens.
    Runtimes with one registry may share their `casts`.
    """

    def __init__(
        self,
        broker: Broker,
        pipeline: Pipeline,
        journal: Journal,
        *,
        shared: Budgets,
        authority: Authority,
        wallet: Wallet,
        around: Around = NOTHING,
        grants: Grants | None = None,
        casts: Casts | None = None,
    ) -> None:
        self.broker = broker
        self.switchboard = Switchboard(broker)
        self.pipeline = pipeline
        self.journal = journal
        self.budgets = shared
        self._authority = authority
        self._grants = grants or Grants()
        self._wallet = wallet
        self._registered: dict[str, Choreography] = {}
        self._casts = casts or Casts(pipeline)
        self._observers: list[Observer] = []
        self._around = replace(around, runtime=self)
        if around.tracer is not None:
            self._observers.append(around.tracer.observe)
        self._playing: dict[Session, None] = {}
        self._taken: dict[tuple[str, str], tuple[str, ...]] = {}
        self._closed = False

    @property
    def audit(self) -> Audit:
        """The refusals of this process."""
        return self.pipeline.audit

    # --- what is known -----------------------------------------------------------------

    def register(self, choreography: Choreography) -> None:
        """Make a choreography known; `run` does it by itself. Raises `Conflict` where another
        protocol has the same namespace and name."""
        known = self._registered.setdefault(choreography.full_name, choreography)
        here = (choreography.compiled.fingerprint, choreography.place)
        if (known.compiled.fingerprint, known.place) != here:
            raise Conflict(choreography.full_name, known.place, choreography.place)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` what happens in the sessions that start from now on."""
        self._observers.append(observer)

    # --- sessions ----------------------------------------------------------------------

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
        """Play one session, all roles in this process, to its end.

        A `durable` one is kept in a stream: called once more with the same `session`, by
        whichever process, after this one was killed, it goes on where it stood. `input` is what
        all roles find in `me.input`.

        `roles` are the functions that play them, `Buyer=buyer` (or a mapping in their place; a
        family with identities may have one for each: `Signers={"alice": f, "bob": g}`);
        those left out are played by what `@choreography.role` registered. Raises before the
        first message: `UnknownRole`, `MissingRole`, `BindingError`, `UnregisteredEffect`,
        `UnknownBudget`, `Conflict`, `SessionExists`, `Unplayable`; and later whatever ended the session.
        """
        playing = all_players(choreography, {**(implementations or {}), **roles})
        if durable:
            return await self._play_durably(choreography, bindings, session, playing, input)
        return await self._play(choreography, bindings, session, playing, given=input)

    async def join(
        self,
        choreography: Choreography,
        implementations: Mapping[str, Playing] | None = None,
        /,
        *,
        session: str,
        bindings: Mapping[str, int] | None = None,
        patience: float = 30.0,
        **roles: Playing,
    ) -> Outcome:
        """Play some roles of a live session; other processes on the same broker join with the
        rest. All give the same `session`, a name of their choice that no other session has.

        Starts when every role is there, and raises `Absent` if that takes more than
        `patience` seconds; returns when all processes are done. The outcome has what was
        played here. All processes need the same authority if messages are guarded.
        """
        playing = players(choreography, {**(implementations or {}), **roles})
        if not playing:
            raise MissingRole(choreography.full_name, choreography.roles)
        return await self._play(choreography, bindings, session, playing, patience)

    async def _play(
        self,
        choreography: Choreography,
        bindings: Mapping[str, int] | None,
        session: str | None,
        playing: Mapping[str, Implementation],
        patience: float = 0.0,
        *,
        given: Any = None,
    ) -> Outcome:
        cast = await self._prepared(choreography, bindings, playing)
        played = Session(
            unique(6) if session is None else session,
            cast,
            self.switchboard,
            self.pipeline,
            playing,
            tokens=lambda who: self._token(cast, who),
            observe=self._tell if self._observers or wants_messages() else None,
            around=self._around,
            devices=choreography.devices,
            given=given,
        )
        self._take(played, choreography.full_name, playing)
        self._playing[played] = None
        try:
            return await played.run(patience)
        finally:
            del self._playing[played]
            self._leave(played, choreography.full_name, playing)

    # --- durable sessions --------------------------------------------------------------

    @cached_property
    def _hosting(self) -> Hosting:
        from .durable.hosting import Hosting

        return Hosting(self.switchboard, self.pipeline, self._around, self._tell)

    @cached_property
    def _starting(self) -> Starting:
        from .workers.starting import Starting

        return Starting(self.broker, self._hosting)

    async def _play_durably(
        self,
        choreography: Choreography,
        bindings: Mapping[str, int] | None,
        session: str | None,
        playing: Mapping[str, Implementation],
        given: Any,
    ) -> Outcome:
        cast = await self._prepared(choreography, bindings)
        fitting_programs(cast, playing, choreography.devices, self.pipeline)
        new, units = await self._hosting.start(
            cast, session, given=given, devices=choreography.devices
        )
        return await self._hosting.run(
            cast, [self._unit(cast, unit, playing[unit.role]) for unit in units], new=new
        )

    async def start(
        self,
        choreography: Choreography,
        *,
        session: str | None = None,
        bindings: Mapping[str, int] | None = None,
        input: Any = None,
        patience: float = 0.0,
    ) -> SessionHandle:
        """Start a durable session for workers to play, and return at once: wherever they are, they
        find its parts on the queue. Starting it again under the same `session` changes nothing.

        It is admitted first: every role needs a worker, for which `patience` seconds are waited.
        Raises `NobodyServes`, `Ungranted`, `ForeignAuthority`, and `OtherSession` where that name
        stands for another session.
        """
        cast = await self._prepared(choreography, bindings)
        return await self._starting.start(cast, choreography, session, input, patience)

    async def replay(
        self,
        choreography: Choreography,
        session: str,
        role: str,
        implementation: Implementation | None = None,
    ) -> AsyncGenerator[Replayed]:
        """Play the instances of a role of a durable session again, from its log and away from it:
        nothing is sent, charged or called. A version of its function that is not deployed yet can
        be tried on the sessions that are running; it plays the session's own version of the
        protocol. Raises `NoSuchSession`, `UnknownVersion`, `Unfit`.
        """
        choreography.require(role)
        begun = await self._hosting.started(choreography.namespace, choreography.name, session)
        played = await self._starting.own_version(choreography, role, begun)
        cast = self._casts.of(played, begun.bindings)
        by = implementation or all_players(choreography, {})[role]
        async for replayed in self._hosting.replay(cast, session, role, by, self.journal):
            yield replayed

    def _unit(
        self, cast: Cast, assignment: Assignment, implementation: Implementation,
        taker: Taker | None = None,
    ) -> Unit:  # fmt: skip
        return self._hosting.unit(
            cast,
            assignment,
            implementation,
            tokens=lambda who: self._token(cast, who),
            observe=self._tell if self._observers or wants_messages() else None,
            taker=taker,
        )

    async def _prepared(
        self,
        choreography: Choreography,
        bindings: Mapping[str, int] | None,
        roles: Collection[str] | None = None,
    ) -> Cast:
        if self._closed:
            raise RuntimeClosed("the runtime is closed", hint="use it inside its async with block")
        self.register(choreography)
        self._refuse_strangers(choreography)
        cast = self._casts.of(choreography, bindings or {})
        await self._grants.fund(self.budgets, cast, roles or cast.parts.keys())
        fitting(choreography.devices, cast.sizes)
        return cast

    def cancel(self, session: str, reason: str = "", *, who: str = "its owner") -> None:
        """Cancel the session of that name: every role, here and in other processes, hears at its
        next step (`SessionCancelled`, with `who` and `reason`), and whatever else it waits for is
        cancelled shortly after. Raises `UnknownSession` where none of its roles is played here.
        """
        found = [played for played in self._playing if played.id == session]
        if not found:
            raise UnknownSession(session)
        for played in found:
            played.cancel(who, reason or "cancelled")

    # --- units of durable sessions -------------------------------------------------------

    async def unit(
        self, choreography: Choreography, assignment: Assignment, implementation: Implementation,
        *, taker: Taker | None = None,
    ) -> Unit:  # fmt: skip
        """A unit to be played here. `choreography` is of the session's own version."""
        cast = self._casts.of(choreography, assignment.bindings)
        await self._grants.fund(self.budgets, cast, (assignment.role,))
        return self._unit(cast, assignment, implementation, taker)

    @property
    def root_key(self) -> PublicKey:
        """Whose capability tokens are believed here."""
        return self._wallet.root

    def lacking(self, guards: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
        """Of the capabilities that roles ask for, those that they are not granted here. What
        their tokens show, where these are given, only the verifier can tell."""
        return self._grants.lacking(guards) if self._wallet.issues else {}

    def _take(self, new: Session, protocol: str, roles: Mapping[str, object]) -> None:
        """Note the roles of a session that are played here. Two of one name would hear each
        other's messages; processes that play different roles, or different protocols, may share
        the name."""
        taken = self._taken.get((new.id, protocol), ())
        twice = [role for role in taken if role in roles]
        if twice:
            raise SessionExists(new.id, min(twice))
        self._taken[new.id, protocol] = (*taken, *roles)

    def _leave(self, old: Session, protocol: str, roles: Mapping[str, object]) -> None:
        left = tuple(role for role in self._taken.pop((old.id, protocol)) if role not in roles)
        if left:
            self._taken[old.id, protocol] = left

    def _refuse_strangers(self, choreography: Choreography) -> None:
        """A role that was given something, and that no protocol known here has, is a mistake."""
        known = {role for one in self._registered.values() for role in one.roles}
        for what, roles in {**self._grants.roles, "tokens": self._wallet.roles}.items():
            for role in roles:
                if role not in known:
                    raise UnknownGrantee(what, role, choreography.full_name, choreography.roles)

    def _token(self, cast: Cast, who: Identity) -> Held:
        return self._wallet.token(who, self._grants.capabilities(cast, who.role))

    def _tell(self, event: Event) -> None:
        if isinstance(event, MessageSent | MessageReceived):
            record(event)
        for observer in self._observers:
            observer(event)

    async def close(self) -> None:
        """End the runtime, and sessions that still run with it; may be called twice."""
        if not self._closed:
            self._closed = True
            await self._end_sessions()
            try:
                await self._end_pipeline()
            finally:
                await self.broker.close()

    async def _end_pipeline(self) -> None:
        """End what the effects still write; a broker that has gone is not waited for."""
        if await self._is_broker_there():
            await self.pipeline.close()
            return
        with suppress(PavaneError), anyio.move_on_after(PARTING):
            await self.pipeline.close()

    async def _is_broker_there(self) -> bool:
        try:
            async with asyncio.timeout(PARTING):
                await self.broker.drained()
        except (BrokerError, TimeoutError):
            return False
        return True

    async def _end_sessions(self) -> None:
        """Fail what still runs, and give it the time that every failed session has."""
        for session in self._playing:
            session.fail(RuntimeClosed("the runtime was closed while it ran"), "the runtime")
        with anyio.move_on_after(2 * GRACE):
            while self._playing:
                await anyio.sleep(0.01)
