"""`Compensations`: runs sagas, each step recorded first, and ends those that a crash left open."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from ...broker.contract import Broker
from ...broker.errors import FrameError, NotPackable, PayloadTooLarge, Unconfirmed
from ...language.errors import PavaneError
from .cancellation import cancellations
from .errors import SagaFailed, SagaTaken, TimedOut
from .outcome import SagaOutcome
from .progress import Progress
from .saga import Saga, Step
from .saga_log import SagaLog, SagaLogs

_UNKNOWN = (
    *(asyncio.CancelledError, TimedOut, TimeoutError),
    *(Unconfirmed, NotPackable, PayloadTooLarge, FrameError),
)
"""After these a step may have happened: what it waited for was cancelled or ran into a timeout, or
its result cannot be recorded."""

INTERRUPTED = "the process that ran it ended"


class Compensations:
    """The sagas of one namespace on one broker. It owns nothing that must be closed.

    `grace` is for how many seconds a saga whose task is cancelled may go on undoing; what is
    left then waits for `recover`. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        broker: Broker,
        namespace: str = "",
        *,
        grace: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._broker = broker
        self._namespace = namespace
        self._grace = grace
        self._clock = clock
        self._logs = SagaLogs(broker, namespace)
        self._running: set[tuple[str, str]] = set()

    async def run(
        self, saga: Saga, given: Mapping[str, Any] | None = None, *, id: str = ""
    ) -> SagaOutcome:
        """Do the steps in order; the outcome of one that is committed.

        When a step raises, those before it are undone, the last first, and `SagaFailed` is
        raised from its error with the whole truth in `outcome`. A step that raises is taken at
        its word that nothing happened, unless it, or what it waited for, was cancelled, it ran into
        a timeout or returned what cannot be recorded: it is undone too then, with `done` False.

        `given` and all results must be plain values. `id` names this run (new if empty); raises
        `SagaExists` for one that was begun before. A broker's error means that the log cannot be
        written: the saga is open, and `recover` ends it.
        """
        await self._logs.prepare()
        progress = Progress(saga.name, id or secrets.token_hex(8))
        log = SagaLog(self._broker, self._namespace, progress, secrets.token_hex(8))
        start = {"shape": saga.shape, "given": dict(given or {})}
        await log.add("begun", value=log.recordable(start))
        return await self._alone(progress, self._guarded(saga, log))

    async def recover(self, *sagas: Saga, idle: float = 60.0) -> tuple[SagaOutcome, ...]:
        """End what others have left open: call it when a process starts, and from time to time.

        Of the open runs of `sagas` it takes those whose log was silent for `idle` seconds (give
        more than any step takes: whoever still runs it loses it). All steps done: it is
        committed. Otherwise all that happened, or may have, is undone. A step that was being
        undone at the crash is undone again under the same key. Of several that recover at
        once, one gets each saga.

        Leaves alone what runs here, and what has other steps than the definition it is given.
        Raises `SagaLogBroken`, after the rest, for a log that makes no sense.
        """
        named = {saga.name: saga for saga in sagas}
        unfinished, broken = await self._logs.unfinished()
        outcomes: list[SagaOutcome] = []
        for progress in unfinished:
            saga = named.get(progress.saga)
            if saga is not None and self._may_take(saga, progress, idle):
                try:
                    outcomes.append(await self._alone(progress, self._taken(saga, progress)))
                except SagaTaken:
                    continue
        if broken:
            raise broken[0]
        return tuple(outcomes)

    async def unfinished(self) -> tuple[SagaOutcome, ...]:
        """What is open in this namespace, in the order it began, whoever runs it."""
        return tuple(progress.outcome for progress in (await self._logs.unfinished())[0])

    async def outcome(self, saga: str, id: str) -> SagaOutcome | None:
        """What the log says of one run, or None if there is none."""
        progress = await self._logs.one(saga, id)
        return None if progress is None else progress.outcome

    # --- one saga ----------------------------------------------------------------------

    async def _alone(self, progress: Progress, work: Any) -> SagaOutcome:
        """`work`, while `recover` in this process keeps its hands off."""
        key = (progress.saga, progress.id)
        self._running.add(key)
        try:
            outcome: SagaOutcome = await work
            return outcome
        finally:
            self._running.discard(key)

    def _may_take(self, saga: Saga, progress: Progress, idle: float) -> bool:
        silent = self._clock() - progress.time / 1e9
        fits = tuple(progress.shape) == saga.shape
        return fits and silent >= idle and (progress.saga, progress.id) not in self._running

    async def _guarded(self, saga: Saga, log: SagaLog) -> SagaOutcome:
        try:
            return await self._forward(saga, log)
        except asyncio.CancelledError as cancelled:
            try:
                with anyio.move_on_after(self._grace, shield=True):
                    await self._finish(saga, log, "cancelled")
            except PavaneError as error:
                # The cancellation must go on; what is left here is open, and waits for `recover`.
                cancelled.add_note(f"{saga.name} {log.progress.id} is open: {error.message}")
            raise

    async def _forward(self, saga: Saga, log: SagaLog) -> SagaOutcome:
        for step in saga.steps:
            await log.add("doing", step.name)
            before = cancellations()
            try:
                result = log.recordable(await step.forward(log.visit(step)))
            except (Exception, asyncio.CancelledError) as error:
                if _is_ours(error, before):
                    raise
                unknown = isinstance(error, _UNKNOWN)
                await log.add("failed", step.name, _failure(_reason(error), unknown))
                await self._finish(saga, log, "")
                raise SagaFailed(log.progress.outcome) from error
            await log.add("done", step.name, result)
        await log.add("ended")
        return log.progress.outcome

    async def _taken(self, saga: Saga, progress: Progress) -> SagaOutcome:
        log = SagaLog(self._broker, self._namespace, progress, secrets.token_hex(8))
        await log.add("adopted")
        await self._finish(saga, log, INTERRUPTED)
        return progress.outcome

    async def _finish(self, saga: Saga, log: SagaLog, reason: str) -> None:
        """Go on from wherever it stands, to the end."""
        progress = log.progress
        if progress.phase == "forward" and not progress.is_done:
            await log.add("failed", progress.at, _failure(reason, bool(progress.at)))
        while progress.todo:
            await self._undo(saga[progress.todo[0]], log)
        if progress.phase != "ended":
            await log.add("ended")

    async def _undo(self, step: Step, log: SagaLog) -> None:
        assert step.undo is not None, "only what can be undone is to be"
        await log.add("undoing", step.name)
        before = cancellations()
        try:
            await step.undo(log.visit(step, undo=True))
        except (Exception, asyncio.CancelledError) as error:
            # Whatever it is, the others are still to be undone; unless we are to stop.
            if _is_ours(error, before):
                raise
            await log.add("stuck", step.name, _reason(error))
        else:
            await log.add("undone", step.name)


def _failure(reason: str, unknown: bool) -> dict[str, Any]:
    return {"reason": reason, "unknown": unknown}


def _is_ours(error: BaseException, before: int) -> bool:
    """Whether the saga itself was cancelled since there were `before` cancellations."""
    return isinstance(error, asyncio.CancelledError) and cancellations() > before


def _reason(error: BaseException) -> str:
    text = error.message if isinstance(error, PavaneError) else str(error)
    if isinstance(error, asyncio.CancelledError):
        text = text or "what it waited for was cancelled"
    return f"{type(error).__name__}: {text}"[:500]
