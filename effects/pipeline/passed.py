"""A message that has passed everything but the publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..flow.budget import Charged
from ..flow.receipt import Receipt
from ..journal.entry import Entry
from .driver import Transaction
from .trace import Stage


class Passed:
    """Charged and recorded; its owner must call `confirm` or `abandon`, once."""

    __slots__ = ("_done", "_sent", "_transaction", "stages")

    def __init__(
        self, transaction: Transaction, stages: Sequence[Stage], sent: Callable[[], Stage]
    ) -> None:
        self._transaction = transaction
        self._sent = sent
        self._done = False
        self.stages = tuple(stages)

    @property
    def charge(self) -> int:
        """What was charged, for all copies together."""
        return self._transaction.charged

    @property
    def charges(self) -> tuple[Charged, ...]:
        """What was taken from which budget."""
        return self._transaction.charges

    @property
    def receipt(self) -> Receipt | None:
        return self._transaction.receipt

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What this message added to the sender's journal."""
        return self._transaction.entries

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries if entry.kind == "fact")

    def confirm(self) -> None:
        """The message is published; the trace ends with `send`."""
        self._end()
        self.stages = (*self.stages, self._sent())

    async def abandon(self, reason: str) -> None:
        """The message was not published: give the charge back, void the receipt, and mark
        the facts as unsent."""
        self._end()
        await self._transaction.withdraw(reason)

    def _end(self) -> None:
        assert not self._done, "a message is confirmed or abandoned once"
        self._done = True
