"""Like messages of one durable instance that leave in one turn of the event loop.

The step is the same, and so is all that is asked of it. So it is asked once: when the series begins, the
capability is shown, and what many messages cost is taken from what the account has drawn. When it
ends, at the latest with the turn and before any of its messages leaves, what they came to is one
receipt and one entry of the journal (`effects.journal.series`), and what was not needed is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from ...broker.contract import Level
from ..errors import JournalBroken
from ..flow.budget import Charged
from ..flow.lease import Lease
from ..flow.receipt import Receipt, ReceiptChain
from ..identity import Identity, SendContext
from ..journal import series as entries
from ..journal.entry import SERIES_LIMIT, Draft
from ..journal.writer import Writer
from .plan import Plan, Simple


class Series:
    """Owned by whoever sends; `close` ends it. `sent` is for him to count, up to `most`.

    `closing` is called at the end, in order. `facts` are those of each message. `charged`, `receipt`
    and `stored` are known at the end, the last done when the journal has it all.
    """

    __slots__ = ("_chain", "_context", "_lease", "_level", "_plan", "_simple", "_writer", "charged", "closing",
                 "facts", "is_open", "most", "receipt", "sent", "stored")  # fmt: skip

    def __init__(
        self,
        context: SendContext,
        plan: Plan,
        simple: Simple,
        writer: Writer,
        chain: ReceiptChain,
        lease: Lease | None,
    ) -> None:
        """Without a `lease` the messages cost nothing."""
        self.most = SERIES_LIMIT
        self.facts = simple.facts
        self.sent = 0
        self.is_open = True
        self.closing: list[Callable[[Series], None]] = []
        self.charged: Charged | None = None
        self.receipt: Receipt | None = None
        self.stored: asyncio.Future[None] | None = None
        self._context = context
        self._plan = plan
        self._simple = simple
        self._writer = writer
        self._chain = chain
        self._lease = lease
        self._level: Level | None = None
        if lease is not None:
            now = asyncio.get_running_loop().time()
            self.most = lease.take_many(simple.cost, SERIES_LIMIT, now)
            # As it is now: its epoch may be over when the series ends.
            self._level = lease.level if self.most else None
        if self.most:
            writer.before = self.close

    @property
    def identity(self) -> Identity:
        """Who sends."""
        return self._context.identity

    def close(self) -> None:
        """Put what was sent into the journal, and give back what was not needed."""
        if not self.is_open:
            return
        self.is_open = False
        if self._writer.before == self.close:
            self._writer.before = None
        rest = (self.most - self.sent) * self._simple.cost
        if self._lease is not None and self._level is not None:
            self._lease.untake(rest, self._level.epoch)
        if self.sent:
            self._charge(rest)
            self._put()
        elif self._lease is not None and self._level is not None:
            self._lease.settle()
        for closing in self.closing:
            closing(self)

    def _charge(self, rest: int) -> None:
        lease, level = self._lease, self._level
        if lease is None or level is None:
            return
        cost, level = self.sent * self._simple.cost, replace(level, spent=level.spent - rest)
        self.charged = Charged(lease.counter, cost, level, lease)
        context, role = self._context.budget_context, self._context.identity.role
        self.receipt = self._chain.issue(
            context, role, level.epoch, cost=cost, spent=level.spent, step=self._plan.action.step
        )

    def _put(self) -> None:
        action, receipt = self._plan.action, self.receipt
        last, proof = (receipt.hash, receipt.pack()) if receipt is not None else (b"", b"")
        what = (action.step, action.label, str(action.peer))
        sent = Draft("sent", "", *what, self._simple.cost, last, proof)
        try:
            _, self.stored = self._writer.put([entries.draft_of(sent, self.facts, self.sent)])
        except JournalBroken as broken:
            self.stored = asyncio.get_running_loop().create_future()
            self.stored.set_exception(broken)
