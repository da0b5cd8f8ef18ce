"""The effect pipeline: capability, flow, leakage, journal, send, in this order.

One pipeline serves all role instances of a process. The runtime asks for the plan of every
step when a session opens, and for a step with a plan goes

    passed = await pipeline.before_send(context, action, copies)
    ... publish ...
    passed.confirm()                    or, if that failed: await passed.abandon(why)

A denial raises; then nothing was charged or recorded, and the audit has an entry.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ...broker.surroundings import now_ns
from ...language.errors import PavaneError
from ...language.machine import Action
from ..errors import EffectError
from ..identity import Identity, SendContext
from .audit import Audit
from .command import Handler, Snapshot, decided
from .driver import Driver, Transaction
from .effect import STAGES, Effect, StageName
from .passed import Passed
from .plan import LOOKED_AT, Arrival, Heard, Plan, arrival_of, plan_of
from .registry import ExtensionRegistry
from .series import Series
from .trace import Denial, Observer, Stage

_log = logging.getLogger("pavane.effects")

__all__ = ["LOOKED_AT", "Arrival", "Heard", "Passed", "Pipeline", "Plan"]


class Pipeline:
    """Owned by a runtime; `close` it before its broker.

    `clock` gives ns since 1970. Plans are kept for as long as the pipeline lives.
    """

    def __init__(
        self,
        registry: ExtensionRegistry,
        driver: Driver,
        *,
        observers: Iterable[Observer] = (),
        audit: Audit | None = None,
        clock: Callable[[], int] = now_ns,
    ) -> None:
        self.registry = registry
        self.driver = driver
        self.observers = list(observers)
        self.audit = audit or Audit()
        self._clock = clock
        self._plans: dict[tuple[str, Action], Plan] = {}
        self._arrivals: dict[Action, Arrival] = {}
        self._withdrawing: set[asyncio.Task[None]] = set()

    # before a session -----------------------------------------------------------------

    def plan(self, role: str, action: Action) -> Plan:
        """The plan of a send of `role`, false where nothing is to be done.

        Raises `UnregisteredEffect`; so ask for every plan before the first message.
        """
        plan = self._plans.get((role, action))
        if plan is None:
            plan = self._plans[role, action] = plan_of(self.registry, role, action)
        return plan

    def arrival(self, action: Action) -> Arrival:
        """What the receiver of a step must do, false where that is nothing."""
        arrival = self._arrivals.get(action)
        if arrival is None:
            arrival = self._arrivals[action] = arrival_of(action)
        return arrival

    async def admit(
        self, context: SendContext, sends: Iterable[Action], *, capabilities: bool = False
    ) -> None:
        """Refuse an instance that could not make its sends, before the first message.

        Raises `UnregisteredEffect`, `UnknownBudget`, `UnknownLeakage`, and with
        `capabilities` also `CapabilityDenied`, although a branch may never come to it.
        """
        plans = [self.plan(context.identity.role, action) for action in sends]
        await self.driver.admit(context, plans)
        if capabilities:
            for plan in plans:
                self._check(context, plan.action, plan.guards)

    # around a send --------------------------------------------------------------------

    async def before_send(
        self, context: SendContext, action: Action, copies: int = 1, payload: Any = None
    ) -> Passed:
        """Do all that comes before the publish of `action` to `copies` receivers.

        A cancelled caller is released at once; what was charged until then is given back
        behind it, and `finish` and `close` wait for that.
        """
        work = asyncio.create_task(self._pass(context, action, copies, payload))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            withdrawal = asyncio.create_task(_withdraw(work))
            self._withdrawing.add(withdrawal)
            withdrawal.add_done_callback(self._withdrawing.discard)
            raise

    async def ahead(
        self, context: SendContext, plan: Plan, copies: int
    ) -> tuple[Passed, asyncio.Future[None]] | None:
        """As `before_send` for a durable instance, without waiting for the journal: the message must
        not leave before what is returned as well is done. None, and nothing has happened, where
        `before_send` has more to wait for, or refuses."""
        if plan.simple is None or self.observers:
            return None
        action = plan.action
        snapshot = Snapshot(context, action, copies, 0)
        found = await self.driver.ahead(snapshot, plan.simple)
        if found is None:
            return None
        transaction, stored = found
        return Passed(transaction, (), lambda: self._sent(context, action)), stored

    def series(self, context: SendContext, plan: Plan) -> Series | None:
        """Begin a series of messages like one that `ahead` has let pass in this turn, each to one
        receiver. None, and nothing has happened, where each has to go by itself."""
        if plan.simple is None or self.observers:
            return None
        return self.driver.series(context, plan, plan.simple)

    async def _pass(
        self, context: SendContext, action: Action, copies: int, payload: Any
    ) -> Passed:
        plan = self.plan(context.identity.role, action)
        snapshot = Snapshot(context, action, copies, self._clock(), payload)
        transaction = self.driver.begin(snapshot)
        stages: list[Stage] = []
        stage: StageName = STAGES[0]
        try:
            for stage in STAGES[:-1]:
                details = await self._run(transaction, plan.at(stage), snapshot)
                if stage == "journal":
                    await transaction.commit()
                stages.append(self._stage(stage, ", ".join(details), context, action))
        except GeneratorExit:
            raise  # Its process is gone: nothing can be waited for.
        except BaseException as error:
            if isinstance(error, EffectError):
                self._deny(context, action, stage, error)
            await _undo(transaction, error)
            raise
        return Passed(transaction, stages, lambda: self._sent(context, action))

    async def _run(
        self,
        transaction: Transaction,
        steps: tuple[tuple[Effect, Handler], ...],
        snapshot: Snapshot,
    ) -> list[str]:
        details: list[str] = []
        for effect, handler in steps:
            for command in decided(effect, handler, snapshot):
                details.append(await transaction.execute(effect, command))
        return details

    def _sent(self, context: SendContext, action: Action) -> Stage:
        return self._stage("send", str(action), context, action)

    def _stage(self, name: StageName, detail: str, context: SendContext, action: Action) -> Stage:
        stage = Stage(name, detail, context, action.step, action.label)
        for observer in self.observers:
            observer(stage)
        return stage

    def _deny(
        self,
        context: SendContext,
        action: Action,
        stage: StageName,
        error: EffectError,
        *,
        arriving: bool = False,
    ) -> None:
        denial = Denial(context, stage, action.step, action.label, error, self._clock(), arriving)
        self.audit.add(denial)
        for observer in self.observers:
            observer(denial)

    def is_revoked(self, context: SendContext) -> bool:
        """Whether the token of `context` was taken back."""
        return self.driver.verifier.is_revoked(context.token)

    # around an arrival ----------------------------------------------------------------

    def check_arrival(
        self, action: Action, token: bytes, sender: Identity, heard: Heard = LOOKED_AT
    ) -> None:
        """Refuse a message whose sender cannot show what the step asks for.

        `token` is what the sender showed on this channel, empty if nothing. Raises
        `CapabilityDenied`. The token is verified once; later checks are look-ups.
        """
        guards = self.arrival(action).guards
        if guards:
            self._check(SendContext(sender, token), action, guards, heard)

    def admits(self, action: Action, index: int) -> bool:
        """Whether what `check_arrival` has just let pass for instance `index` would pass again in this
        turn of the event loop."""
        return not self.arrival(action)

    async def arrival_refused(self) -> None:
        """Return when it may be known that `check_arrival` has refused a message."""

    async def after_arrival(self, context: SendContext, action: Action, sender: Identity) -> None:
        """Join the sender's journal into that of `context`'s instance, where the step says so."""
        if self.arrival(action).merges:
            await self.driver.merge(context, action, sender)

    def _check(
        self,
        context: SendContext,
        action: Action,
        guards: Iterable[str],
        heard: Heard | None = None,
    ) -> None:
        """`heard` is the message, where it has come to its receiver."""
        who, token = context.identity, context.token
        when = heard.when if heard is not None else None
        try:
            for capability in guards:
                if when is None:
                    self.driver.require(who, token, capability)
                else:
                    self.driver.verifier.require_at(when, who, token, capability)
        except EffectError as error:
            self._deny(context, action, "capability", error, arriving=heard is not None)
            raise

    # the end --------------------------------------------------------------------------

    async def finish(self, context: SendContext) -> None:
        """End an instance: its withdrawals are done and its journal has a signed head."""
        await self._settle()
        await self.driver.finish(context)

    async def close(self) -> None:
        await self._settle()
        await self.driver.close()

    async def _settle(self) -> None:
        while self._withdrawing:
            await asyncio.wait(tuple(self._withdrawing))


async def _undo(transaction: Transaction, error: BaseException) -> None:
    """Withdraw what a refused message did; a failure of that is noted on the refusal."""
    try:
        await transaction.withdraw(str(error))
    except PavaneError as failed:
        error.add_note(f"a charge could not be given back: {failed.message}")
        # To do it again would charge again.
        setattr(error, "retryable", False)  # noqa: B010 (it may be any exception)


async def _withdraw(work: asyncio.Task[Passed]) -> None:
    """Undo the sending that a cancelled caller left behind, as soon as it has come through."""
    await asyncio.wait([work])
    if work.cancelled() or work.exception() is not None:
        return
    try:
        await work.result().abandon("the sender was cancelled")
    except PavaneError as error:
        # Nobody waits for this any more; the charge stays taken, which is the safe side.
        _log.error("a charge could not be given back: %s", error.message)
