"""Which play of a durable instance is the one that counts in this process.

A worker may be given a unit again that it has just lost, and begin to play it while what it played
before is still coming to its end. What is kept by the name of an instance (its journal's writer, its
receipts, its account) is that of the later play then; so the earlier one asks here before it uses it.
"""

from __future__ import annotations

from ..errors import JournalBroken
from ..identity import Identity, SendContext

ENDED = 4096
"""How many plays that were given up are remembered: each for as long as its last send may take."""


class Turns:
    """Owned by a driver. Instances of live sessions have one play, which always counts."""

    def __init__(self) -> None:
        self._current: dict[Identity, int] = {}
        self._ended: dict[tuple[Identity, int], None] = {}

    def begin(self, context: SendContext) -> None:
        """From now on this play counts, and no other of the instance."""
        self._current[context.identity] = context.turn
        self._ended.pop((context.identity, context.turn), None)

    def end(self, context: SendContext, *, given_up: bool) -> None:
        """Nothing more comes of this play; where it was `given_up`, something still might."""
        if self._current.get(context.identity) == context.turn:
            del self._current[context.identity]
        if given_up:
            self._ended[context.identity, context.turn] = None
            if len(self._ended) > ENDED:
                del self._ended[next(iter(self._ended))]

    def counts(self, context: SendContext) -> bool:
        if not context.durable:
            return True
        identity, turn = context.identity, context.turn
        return self._current.get(identity, turn) == turn and (identity, turn) not in self._ended

    def check(self, context: SendContext) -> None:
        """Raise `JournalBroken` for a play that does not count any more."""
        if not self.counts(context):
            why = "it was given up here, and is another's to play"
            raise JournalBroken(context.identity.instance, why)
