"""Charges under a key, which count once whoever makes them, however often."""

from __future__ import annotations

import asyncio

from ...broker.contract import Broker, Claim, Level
from ...broker.errors import EpochOver


def owner(turn: int) -> str:
    """Who has the key: of two, the later turn."""
    return f"{turn}/key"


PAUSE = 0.05
"""Seconds that settlements are gathered for, to be written together."""

REMEMBERED = 10_000
"""Settled charges that can still be given back: a message is withdrawn soon or never."""

_Settlement = tuple[str, str, str, int, int]


class Keyed:
    """Each key is an account of its own on the counter, with one charge; `close` it in the end."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._epochs: dict[str, int] = {}
        self._past: dict[tuple[str, str], None] = {}
        self._settled: list[_Settlement] = []
        self._settling: asyncio.Task[None] | None = None

    async def charge(self, counter: str, cost: int, key: str, turn: int) -> Level:
        """Raises as `Broker.spend`, and `HoldTaken` where a later turn charges under the key."""
        while True:
            epoch = self._epochs.get(counter, 0)
            try:
                claim = Claim(key, owner(turn), epoch, 0, cost, take_over=True)
                return await self._broker.reserve(counter, claim)
            except EpochOver as over:
                self._epochs[counter] = over.epoch

    async def give_back(self, counter: str, key: str, cost: int, epoch: int, turn: int) -> None:
        """Undo a charge, settled or not. One that is not, and that a later turn has taken over, is
        the other's."""
        if (counter, key) in self._past:
            del self._past[counter, key]
            await self._broker.give_back(counter, cost, epoch=epoch)
        else:
            await self._broker.release(counter, key, owner=owner(turn), epoch=epoch, used=0)

    def settle(self, counter: str, key: str, cost: int, epoch: int, turn: int) -> None:
        if len(self._past) >= REMEMBERED:
            del self._past[next(iter(self._past))]
        self._past[counter, key] = None
        self._settled.append((counter, key, owner(turn), cost, epoch))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_later())

    async def _settle_later(self) -> None:
        while self._settled:
            await asyncio.sleep(PAUSE)
            await self._settle()

    async def _settle(self) -> None:
        """One that fails is settled with the epoch: nothing but its room is lost."""
        settled, self._settled = self._settled, []
        await asyncio.gather(
            *(
                self._broker.release(counter, key, owner=who, epoch=epoch, used=cost)
                for counter, key, who, cost, epoch in settled
            ),
            return_exceptions=True,
        )

    async def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.wait([self._settling])
        await self._settle()
