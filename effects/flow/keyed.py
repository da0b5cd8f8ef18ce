"""Charges under a key, which count once whoever makes them, however often."""

from __future__ import annotations

import asyncio

from ...broker.contract import Broker, Claim, Level
from ...broker.errors import BrokerError, CounterError, EpochOver, HoldTaken, Unconfirmed


def owner(turn: int, cost: int) -> str:
    """Who has the key: of two, the later turn, which may charge another cost. Without turns it is
    whoever charges the same, in whatever process."""
    return f"{turn}/key" if turn else f"0/{cost}"


PAUSE = 0.05
"""Seconds that settlements are gathered for, to be written together."""

REMEMBERED = 10_000
"""Settled charges that can still be given back: a message is withdrawn soon or never."""

_Place = tuple[str, str, int]
"""Counter, key and epoch."""


class Keyed:
    """Each key is an account of its own on the counter, with one charge; `close` it in the end."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._epochs: dict[str, int] = {}
        self._past: dict[_Place, None] = {}
        self._settled: dict[_Place, tuple[str, int]] = {}
        self._settling: asyncio.Task[None] | None = None

    async def charge(self, counter: str, cost: int, key: str, turn: int) -> Level:
        """Raises as `Broker.spend`, `HoldTaken` where a later turn charges under the key, and
        `CounterError` where without turns another cost was charged under it."""
        who, take_over = owner(turn, cost), bool(turn)
        while True:
            epoch = self._epochs.get(counter, 0)
            try:
                claim = Claim(key, who, epoch, 0, cost, take_over=take_over)
                return await self._broker.reserve(counter, claim)
            except EpochOver as over:
                self._epochs[counter] = over.epoch
            except HoldTaken:
                if turn:
                    raise
                raise _another(counter, key, cost) from None

    async def give_back(self, counter: str, key: str, cost: int, epoch: int, turn: int) -> None:
        """Undo a charge, settled or not. One that is not, and that a later turn has taken over, is
        the other's."""
        place = (counter, key, epoch)
        # One whose settlement is not written yet is on the counter as if it were not settled.
        is_written = place in self._past and place not in self._settled
        self._past.pop(place, None)
        self._settled.pop(place, None)
        if not is_written:
            who = owner(turn, cost)
            await self._broker.release(counter, key, owner=who, epoch=epoch, used=0)
            return
        try:
            await self._broker.give_back(counter, cost, epoch=epoch)
        except Unconfirmed:
            raise
        except BrokerError:
            # It can be tried again.
            self._past[place] = None
            raise

    def settle(self, counter: str, key: str, cost: int, epoch: int, turn: int) -> None:
        if len(self._past) >= REMEMBERED:
            del self._past[next(iter(self._past))]
        place = (counter, key, epoch)
        self._past[place] = None
        self._settled[place] = (owner(turn, cost), cost)
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_later())

    async def _settle_later(self) -> None:
        while self._settled:
            await asyncio.sleep(PAUSE)
            await self._settle()

    async def _settle(self) -> None:
        """One that fails is settled with the epoch: nothing but its room is lost."""
        settled, self._settled = self._settled, {}
        await asyncio.gather(
            *(
                self._broker.release(counter, key, owner=who, epoch=epoch, used=cost)
                for (counter, key, epoch), (who, cost) in settled.items()
            ),
            return_exceptions=True,
        )

    async def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.wait([self._settling])
        await self._settle()


def _another(counter: str, key: str, cost: int) -> CounterError:
    why = f"another amount than {cost} was charged under the key {key}"
    return CounterError(counter, why, hint="charge each thing under a key of its own")
