"""What a unit remembers of the workers that played it before: its steps, instance by instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from .errors import Departure
from .records import (
    Barred,
    Handed,
    Judged,
    Left,
    Limited,
    Looked,
    Merged,
    Ran,
    Read,
    Refused,
    Slept,
    Step,
    Timed,
)

StepT = TypeVar("StepT", Ran, Looked, Slept, Read, Refused, Merged, Limited, Judged, Left)


class Recall:
    """The steps of one instance. Each step that the code takes is asked for here first, and comes
    to an end with `returns`.

    A block that ran out of time was cut at some point: at how many steps, and which of them had come
    to nothing, is in the log. Played again, it is cut where it was.
    """

    def __init__(
        self,
        session: str,
        name: str,
        recorded: Mapping[int, Step],
        times: Mapping[int, float] | None = None,
    ) -> None:
        self._session = session
        self._name = name
        self._recorded = dict(recorded)
        self._limited = {s.block: s for s in recorded.values() if isinstance(s, Limited)}
        self._cutting: list[tuple[Limited, Callable[[], None]]] = []
        self._held: list[asyncio.Future[None]] = []
        self.number = 0
        self.moves = 0
        self.blocks = 0
        self.open: set[int] = set()
        """The steps that were begun and have not come to anything yet."""
        self.times = dict(times or {})
        """When which step of the protocol was taken, as far as it was measured."""
        self.last_move = max(self.times, default=-1)

    @property
    def is_over(self) -> bool:
        """Whether everything recorded has been played again."""
        return not self._recorded

    def next(self, kind: type[StepT], what: str) -> tuple[int, StepT | None]:
        """The number of the next step, and how it was recorded, if it was.

        Raises `Departure` where another kind of step was taken at this point, or another call.
        """
        self.number += 1
        self.open.add(self.number)
        if self._cutting:
            self.progress()
        recorded = self._recorded.pop(self.number, None)
        if recorded is None:
            return self.number, None
        if not isinstance(recorded, kind) or (isinstance(recorded, Ran) and recorded.name != what):
            self.depart(f"step {self.number}", told(recorded), what)
        return self.number, recorded

    async def returns(self, number: int) -> None:
        """The code sees what step `number` came to; not before the end of a block that had to end
        without it."""
        while self._limited and any(number in one.open for one in self._limited.values()):
            await self._released()
        self.open.discard(number)
        if self._cutting:
            self.progress()

    # --- blocks that ran out of time -----------------------------------------------------

    def enter(self, cut: Callable[[], None]) -> tuple[int, Limited | None]:
        """A block begins: its number, and how it ended before. One that ran out of time is cut
        with `cut` where it stood then."""
        self.blocks += 1
        limited = self._limited.get(self.blocks)
        if limited is not None and limited.passed:
            self._cutting.append((limited, cut))
            self.progress()
        return self.blocks, limited

    def ends(self, limited: Limited) -> None:
        """A block is ending for the first time: what it ended without is seen after its end, as it
        will be when this is played again."""
        self._limited[limited.block] = limited

    def leave(self, block: int) -> None:
        """The block has ended; what had to wait for that goes on."""
        limited = self._limited.pop(block, None)
        self._cutting = [one for one in self._cutting if one[0] is not limited]
        held, self._held = self._held, []
        for future in held:
            if not future.done():
                future.set_result(None)

    def progress(self) -> None:
        """Cut the blocks that have come as far as they did."""
        for limited, cut in self._cutting:
            if self._is_cut(limited):
                cut()

    def _is_cut(self, limited: Limited) -> bool:
        begun = (self.number, self.moves)
        return begun == (limited.number - 1, limited.moves) and self.open == set(limited.open)

    async def uncut(self) -> None:
        """Return when the code may go on: not while it is in a block that got no further."""
        while any(self._is_cut(limited) for limited, _ in self._cutting):
            await self._released()

    async def _released(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(future)
        await future

    # --- departures ----------------------------------------------------------------------

    def refuses(self, passed: int) -> bool:
        """Whether the next step was recorded as the refusal of a message, after `passed` that were not
        refused."""
        step = self._recorded.get(self.number + 1)
        return isinstance(step, Refused) and step.passed in (passed, -1)

    def depart(
        self, step: str, expected: str, got: str, payloads: tuple[bytes, bytes] | None = None
    ) -> NoReturn:
        raise Departure(self._session, self._name, step, expected, got, payloads)

    def finish(self) -> None:
        """The function has returned. Raises `Departure` if there was more that it did."""
        if self._recorded:
            number, recorded = min(self._recorded.items())
            self.depart(f"step {number}", told(recorded), "its end")


def told(step: Step) -> str:
    """A step in a few words."""
    match step:
        case Ran(name=name):
            return f"a call of {name}"
        case Looked():
            return "a look at the clock"
        case Slept():
            return "a sleep"
        case Read(role=role, sender=sender):
            return f"a message of {role}[{sender}], before those of others"
        case Refused(code=code):
            return f"a message refused with {code}"
        case Merged(role=role, sender=sender):
            return f"the journal of {role}[{sender}] joined"
        case Barred(role=role, sender=sender, message=message):
            return f"message {message} of {role}[{sender}] refused"
        case Handed(protocol=protocol, session=session):
            return f"session {session} of {protocol} begun for it"
        case Limited():
            return "the end of a deadline"
        case Judged():
            return "a branch with a timeout"
        case Left():
            return "a look at the time left"
        case Timed(move=move):
            return f"the time of step {move} of the protocol"
