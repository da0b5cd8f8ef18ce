"""What the tests of durable sessions share: a broker in memory that dies at a chosen write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import pavane
from pavane.broker.contract import Broker, Claim, Fence, Level
from pavane.broker.errors import NotConnected
from pavane.broker.memory import hubs
from pavane.broker.memory.connection import MemoryBroker
from pavane.effects.keys import Signer


class Mortal(MemoryBroker):
    """After `lives` writes nothing it does reaches the hub, and nothing reaches it: what a killed
    process looks like to the others. `stores` says whether the last write is still stored."""

    def __init__(self, name: str, lives: int, *, stores: bool) -> None:
        living = hubs.join(name)
        super().__init__(living._hub, living._on_close)  # pyright: ignore[reportPrivateUsage]
        self.lives = lives
        self.writes = 0
        self._stores = stores

    @property
    def is_dead(self) -> bool:
        return self.writes >= self.lives

    def _check(self, payload: bytes = b"") -> None:
        if self.is_dead:
            raise NotConnected("memory://", "it was killed")
        super()._check(payload)

    def _flush(self) -> None:
        if not self.is_dead:
            super()._flush()

    def publish(self, subject: str, payload: bytes) -> None:
        if not self.is_dead:
            super().publish(subject, payload)

    def submit(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        fence: Fence | None = None,
    ) -> asyncio.Future[int]:
        dies = self.writes + 1 >= self.lives
        if dies and not self._stores:
            self.writes = self.lives
        future = super().submit(stream, subject, payload, message_id=message_id, fence=fence)
        self.writes += 1
        return self._unanswered() if self.is_dead else future

    def _unanswered(self) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_exception(NotConnected("memory://", "it was killed"))
        return future

    async def append(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        expected: int | None = None,
    ) -> int:
        dies = self.writes + 1 >= self.lives
        if dies and not self._stores:
            self.writes = self.lives
        sequence = await super().append(
            stream, subject, payload, message_id=message_id, expected=expected
        )
        self.writes += 1
        self._check()
        return sequence

    async def reserve(self, counter: str, claim: Claim) -> Level:
        dies = self.writes + 1 >= self.lives
        if dies and not self._stores:
            self.writes = self.lives
        level = await super().reserve(counter, claim)
        self.writes += 1
        self._check()
        return level


Attempt = Callable[[pavane.Runtime], Awaitable[object]]
Dying = Callable[..., Awaitable[Mortal]]


@pytest.fixture
async def hub(unique: str) -> AsyncIterator[Broker]:
    """A connection that keeps the hub `unique`, whoever else dies."""
    broker = hubs.join(unique)
    yield broker
    await broker.close()


@pytest.fixture
def dying(hub: Broker, unique: str, monkeypatch: pytest.MonkeyPatch) -> Dying:
    """`await dying(attempt, lives)` runs `attempt` in a process that is killed at its `lives`-th
    write, if it gets so far; returns its broker."""

    async def run(attempt: Attempt, lives: int = 10**9, *, stores: bool = True) -> Mortal:
        mortal = Mortal(unique, lives, stores=stores)

        async def connect(*_: object, **__: object) -> Broker:
            return mortal

        monkeypatch.setattr("pavane.actors.opening.connect", connect)
        monkeypatch.setattr("pavane.effects.journal.writer.PATIENCE", 0.0)
        signer = Signer(b"a key that is kept for all tests")
        try:
            url = f"memory://{unique}"
            async with asyncio.timeout(60), pavane.open(url, signer=signer) as runtime:
                await attempt(runtime)
        except pavane.PavaneError:
            if not mortal.is_dead:
                raise
        return mortal

    return run
