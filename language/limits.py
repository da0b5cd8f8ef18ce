"""The times that a protocol sets, on their way into the global graph."""

from __future__ import annotations

from .annotations import timeout
from .graph import Limits
from .scope import Scope
from .timing import Bound, Lane
from .tree import Choice, Continue, Send, Statement


class Times:
    """Numbers a clock for each statement with a time, in each branch of `parallel` it is in."""

    def __init__(self) -> None:
        self._clocks: dict[tuple[int, Lane], int] = {}

    def __bool__(self) -> bool:
        """Whether a time is set anywhere."""
        return bool(self._clocks)

    def _clock(self, statement: Statement, scope: Scope) -> int:
        return self._clocks.setdefault((id(statement), scope.lane), len(self._clocks) + 1)

    def block(self, statement: Statement, scope: Scope) -> Bound | None:
        """The time of a whole statement that is no message."""
        if isinstance(statement, Send | Continue) or not statement.annotations:
            return None
        seconds = timeout(statement.annotations)
        return Bound(self._clock(statement, scope), seconds, block=True) if seconds else None

    def message(self, statement: Send, scope: Scope) -> Limits | None:
        """The times of a message: those of the blocks around it, and its own."""
        if not (scope.bounds or scope.lane or _annotated(statement)):
            return None
        both = timeout(statement.annotations)
        sender = timeout(statement.sender_annotations) or both
        receiver = timeout(statement.receiver_annotations) or both
        if not (sender or receiver or scope.bounds or scope.lane):
            return None
        clock = self._clock(statement, scope) if sender or receiver else 0
        sides = ((Bound(clock, time),) if time else () for time in (sender, receiver))
        at_sender, at_receiver = sides
        return Limits(scope.bounds + at_sender, scope.bounds + at_receiver, scope.lane)

    def choice(self, statement: Choice, scope: Scope) -> Bound | None:
        """When the timeout branch of a choice begins to be the only one."""
        times = [branch.timeout.seconds for branch in statement.branches if branch.timeout]
        return Bound(self._clock(statement, scope), times[0]) if times else None


def _annotated(send: Send) -> bool:
    return bool(send.annotations or send.sender_annotations or send.receiver_annotations)
