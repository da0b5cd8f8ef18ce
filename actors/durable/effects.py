"""The effects around the messages of a durable unit: each once, whichever worker it was.

An annotated message has been through the pipeline if the journal of its sender has it; charged it
is through the sender's account, which knows what the journal has. So the n-th annotated message
of an instance that is played again takes the n-th `sent` entry and is neither charged nor
recorded again, be its frame in the log or not.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ...broker.errors import HoldTaken
from ...broker.payload import pack
from ...effects.errors import EffectError, JournalBroken
from ...effects.flow.budget import Charged
from ...effects.flow.receipt import Receipt
from ...effects.flow.receipt import unpack as unpack_receipt
from ...effects.identity import Identity, SendContext
from ...effects.journal.entry import Entry
from ...effects.pipeline.driver import Still
from ...effects.pipeline.passed import Passed
from ...effects.pipeline.pipeline import LOOKED_AT, Arrival, Heard, Pipeline, Plan
from ...effects.pipeline.series import Series
from ...language.errors import PavaneError
from ...language.machine import Action
from .arrivals import Arrivals
from .calls import Recorder
from .recall import Recall
from .records import Barred, Merged, Refused
from .refusals import facts, restored
from .sealing import Sealing


class Replayed:
    """What a message of an earlier worker did: a transaction that is over."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        sent = entries[0]
        self.charged = sent.charge
        self.charges: tuple[Charged, ...] = ()
        self.receipt: Receipt | None = unpack_receipt(sent.proof) if sent.proof else None

    async def execute(self, effect: object, command: object) -> str:
        raise AssertionError("it was executed by the worker before")

    async def commit(self) -> None:
        """It is in the journal."""

    async def withdraw(self, reason: str) -> None:
        """The worker before did, or will not have to: the message is sent after all."""


class OnceOnly(Pipeline):
    """The pipeline of a runtime, as one unit sees it. `broken` is called where the journal shows
    that another worker writes it."""

    def __init__(
        self,
        base: Pipeline,
        recalls: Mapping[int, Recall],
        recorder: Recorder,
        broken: Callable[[PavaneError], None],
        sealing: Sealing,
        role: str,
        barred: Iterable[Barred],
        is_recorded: Callable[[int], bool],
    ) -> None:
        super().__init__(base.registry, base.driver, observers=base.observers, audit=base.audit)
        self._base = base
        self._recalls = recalls
        self._recorder = recorder
        self._broken = broken
        self._through = Counter[int]()
        """How many annotated messages of each instance were not refused, but for an open series."""
        self._series: dict[int, Series] = {}
        self._watched: asyncio.Future[None] | None = None
        self._sealing = sealing
        self._passed: dict[int, deque[tuple[Entry, ...]]] = {}
        self._is_recorded = is_recorded
        self._incoming = Arrivals(base, role, barred, self._is_known, recorder, sealing)

    def plan(self, role: str, action: Action) -> Plan:
        return self._base.plan(role, action)

    def arrival(self, action: Action) -> Arrival:
        return self._base.arrival(action)

    async def take_over(self, context: SendContext, worker: str, still: Still) -> None:
        """Fence the journal of an instance, and see which of its messages it has."""
        entries = await self.driver.take_over(context, worker, still)
        self.remember(context.identity.index or 0, entries)

    def remember(self, index: int, entries: Iterable[Entry]) -> None:
        """What the journal of an instance has."""
        groups = _by_message(entries)
        if groups:
            self._passed[index] = deque(groups)

    # --- sending -----------------------------------------------------------------------

    async def before_send(
        self, context: SendContext, action: Action, copies: int = 1, payload: Any = None
    ) -> Passed:
        index = context.identity.index or 0
        recall = self._recalls[index]
        if recall.refuses(self._count_through(index)):
            number, refused = recall.next(Refused, f"a message {action.label} refused")
            assert refused is not None
            await recall.returns(number)
            raise self._restored(context.identity, refused)
        before = self._passed.get(index)
        try:
            if before:
                passed = self._again(context, action, before.popleft())
            else:
                passed = await self._base.before_send(context, action, copies, payload)
            self._through[index] += 1
            return passed
        except (JournalBroken, HoldTaken) as error:
            self._broken(error)
            raise
        except EffectError as error:
            number, _ = recall.next(Refused, "")
            await self._recorder.record(self._refused(context.identity, number, error))
            await recall.returns(number)
            raise

    def _refused(self, who: Identity, number: int, error: EffectError) -> Refused:
        where = (who.role, who.index or 0)
        fields = self._sealing.seal(where, _refusal(number), pack(facts(error)))
        return Refused(where[1], number, error.code, fields, self._count_through(where[1]))

    def _restored(self, who: Identity, refused: Refused) -> PavaneError:
        """The error as it was raised, with its facts."""
        where = (who.role, who.index or 0)
        fields = self._sealing.value(where, _refusal(refused.number), refused.fields)
        return restored(refused.code, fields)

    async def ahead(
        self, context: SendContext, plan: Plan, copies: int
    ) -> tuple[Passed, asyncio.Future[None]] | None:
        index = context.identity.index or 0
        if self._passed.get(index) or self._recalls[index].refuses(self._count_through(index)):
            return None
        found = await self._base.ahead(context, plan, copies)
        if found is None:
            return None
        self._through[index] += 1
        self._watch(found[1])
        return found

    def series(self, context: SendContext, plan: Plan) -> Series | None:
        index = context.identity.index or 0
        if self._passed.get(index) or not self._recalls[index].is_over:
            return None
        series = self._base.series(context, plan)
        if series is not None:
            self._series[index] = series
            series.closing.append(partial(self._closed, index))
        return series

    def _closed(self, index: int, series: Series) -> None:
        self._series.pop(index, None)
        if series.stored is not None:
            self._through[index] += series.sent
            self._watch(series.stored)

    def _count_through(self, index: int) -> int:
        """How many annotated messages of an instance were not refused until now."""
        series = self._series.get(index)
        if series is not None:
            series.close()
        return self._through[index]

    def _watch(self, stored: asyncio.Future[None]) -> None:
        if stored is not self._watched:
            self._watched = stored
            stored.add_done_callback(self._is_stored)

    def _is_stored(self, stored: asyncio.Future[None]) -> None:
        error = None if stored.cancelled() else stored.exception()
        if isinstance(error, PavaneError):
            self._broken(error)

    def _again(self, context: SendContext, action: Action, entries: tuple[Entry, ...]) -> Passed:
        sent = entries[0]
        if (sent.step, sent.label) != (action.step, action.label):
            self._recalls[context.identity.index or 0].depart(
                f"journal entry {sent.number}", sent.label, action.label
            )
        return Passed(Replayed(entries), (), lambda: self._sent_stage(context, action))

    def _sent_stage(self, context: SendContext, action: Action) -> Any:
        return self._stage("send", str(action), context, action)

    # --- receiving ---------------------------------------------------------------------

    def check_arrival(
        self, action: Action, token: bytes, sender: Identity, heard: Heard = LOOKED_AT
    ) -> None:
        if self.arrival(action).guards:
            self._incoming.check(action, token, sender, heard)

    def _is_known(self, index: int) -> bool:
        """Whether there is more of an instance that was done before."""
        return bool(self._passed.get(index)) or self._is_recorded(index)

    def admits(self, action: Action, index: int) -> bool:
        return not self.arrival(action).guards or not self._incoming.is_replayed(index)

    async def arrival_refused(self) -> None:
        await self._incoming.stored()

    async def after_arrival(self, context: SendContext, action: Action, sender: Identity) -> None:
        if not self.arrival(action).merges:
            return
        index = context.identity.index or 0
        number, merged = self._recalls[index].next(Merged, f"the journal of {sender} joined")
        if merged is None:
            await self._base.after_arrival(context, action, sender)
            await self._recorder.record(Merged(index, number, sender.role, sender.index or 0))
        await self._recalls[index].returns(number)

    async def finish(self, context: SendContext) -> None:
        await self._base.finish(context)

    async def leave(self, context: SendContext) -> None:
        """Forget what is known of an instance, and write nothing more for it."""
        await self.driver.leave(context)


def _by_message(entries: Iterable[Entry]) -> list[tuple[Entry, ...]]:
    """Each `sent` entry with its facts, but for those that an `unsent` one has taken back: a worker
    that met its fence between the two did not send the message."""
    groups: list[list[Entry]] = []
    for entry in entries:
        if entry.kind == "unsent":
            groups = [group for group in groups if group[0].number != entry.count]
        elif entry.kind == "sent":
            groups.append([entry])
        elif entry.kind == "fact" and groups:
            groups[-1].append(entry)
    return [tuple(group) for group in groups]


def _refusal(number: int) -> str:
    return f"refusal {number}"
