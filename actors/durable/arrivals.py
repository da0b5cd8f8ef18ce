"""What the instances of a unit check of whom they hear: once for each message, whichever worker it was.

A message is new to an instance that has done again all that its log has of it. Then its sender's
right is looked at: whether it was revoked, now; whether it had expired, when the message was stored.
One that the log has more after was taken by a worker before, and is taken again, whatever has
become of the token since. And one that was refused is in the log, and is refused again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ...broker.payload import pack
from ...effects.errors import EffectError
from ...effects.identity import Identity
from ...effects.pipeline.pipeline import Heard, Pipeline
from ...language.machine import Action
from .calls import Recorder
from .records import Barred
from .refusals import facts, restored
from .sealing import Sealing

Place = tuple[int, str, int, bool, int]
"""Of a message: its receiver, its sender, whether it was said to the whole family, its number."""


class Arrivals:
    """Those of the instances of `role`. `is_recorded` says whether the log has something of an instance
    that it has not done again."""

    def __init__(
        self,
        base: Pipeline,
        role: str,
        barred: Iterable[Barred],
        is_recorded: Callable[[int], bool],
        recorder: Recorder,
        sealing: Sealing,
    ) -> None:
        self._base = base
        self._role = role
        self._barred = {_place_of(one): one for one in barred}
        self._unmet = set(self._barred)
        self._is_recorded = is_recorded
        self._recorder = recorder
        self._sealing = sealing
        self._storing: list[asyncio.Future[None]] = []

    def is_replayed(self, index: int) -> bool:
        """Whether what instance `index` takes next was taken before."""
        return self._is_recorded(index) or any(place[0] == index for place in self._unmet)

    def check(self, action: Action, token: bytes, sender: Identity, heard: Heard) -> None:
        """As `Pipeline.check_arrival`."""
        if not heard.number:
            self._base.check_arrival(action, token, sender, heard)
            return
        place = (heard.receiver, sender.role, sender.index or 0, heard.to_all, heard.number)
        if place in self._barred:
            self._unmet.discard(place)
            raise self._restored(self._barred[place])
        if self.is_replayed(heard.receiver):
            return
        try:
            self._base.check_arrival(action, token, sender, heard)
        except EffectError as error:
            self._bar(place, error)
            raise

    def _restored(self, barred: Barred) -> Exception:
        what = _refusal(_place_of(barred))
        fields = self._sealing.value((self._role, barred.index), what, barred.fields)
        return restored(barred.code, fields)

    def _bar(self, place: Place, error: EffectError) -> None:
        fields = self._sealing.seal((self._role, place[0]), _refusal(place), pack(facts(error)))
        index, sender, number, to_all, message = place
        barred = Barred(index, 0, sender, number, to_all, message, error.code, fields)
        stored = self._recorder.note(barred)
        if stored is not None:
            self._storing.append(stored)

    async def stored(self) -> None:
        """Return when all refusals are in the log: not before may the code go by one."""
        waiting, self._storing = self._storing, []
        for stored in waiting:
            await asyncio.shield(stored)


def _place_of(barred: Barred) -> Place:
    return (barred.index, barred.role, barred.sender, barred.to_all, barred.message)


def _refusal(place: Place) -> str:
    _, sender, number, to_all, message = place
    return f"refusal of message {message} of {sender}[{number}]{' to all' if to_all else ''}"
