"""Annotated sends that do not wait for their journal: the frames of their instance do."""

from __future__ import annotations

from ...effects.identity import SendContext
from ...effects.pipeline.pipeline import Passed, Plan
from ...effects.pipeline.series import Series
from ..mailbox.turn import Soon
from .backlog import Backlog
from .effects import OnceOnly
from .lanes import DurableOutbox


class Ahead:
    """Of one instance, by its outbox; owned by its stage."""

    def __init__(
        self, pipeline: OnceOnly, backlog: Backlog, outbox: DurableOutbox, turn: Soon
    ) -> None:
        self._pipeline = pipeline
        self._backlog = backlog
        self._outbox = outbox
        self._turn = turn

    async def passes(self, context: SendContext, plan: Plan, copies: int) -> Passed | None:
        """See `seat.Ahead`."""
        found = await self._pipeline.ahead(context, plan, copies)
        if found is None:
            return None
        passed, stored = found
        self._backlog.gate(self._outbox, stored)
        return passed

    def series(self, context: SendContext, plan: Plan) -> Series | None:
        """See `seat.Ahead`."""
        series = self._pipeline.series(context, plan)
        if series is not None:
            series.closing.append(self._gate)
            self._outbox.closing = series.close
            self._turn.call_soon(series.close)
        return series

    def close_series(self) -> None:
        self._outbox.close_series()

    def _gate(self, series: Series) -> None:
        if series.stored is not None:
            self._backlog.gate(self._outbox, series.stored)
