"""What a durable receiver checks of those whom it hears: every message that is new to it, and none a second
time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

import pavane
from pavane.actors.durable.replay import Replayed
from pavane.broker.connect import connect
from pavane.effects.capability.revocation import Revocations
from pavane.effects.capability.tokens import Authority, TokenLimits
from pavane.effects.capability.verifier import Verifier
from pavane.effects.errors import CapabilityDenied
from pavane.effects.identity import Identity

ROOT = Authority(b"r" * 32)
COUNT = 12
BURST = 3
"""Messages that are sent in one turn: all but the first may be taken the short way."""


def protocol(unique: str) -> pavane.Choreography:
    return pavane.load(
        f'#[namespace = "{unique}"] protocol Talk {{ roles: A, B; loop (count: {COUNT}) {{'
        ' A[guard_capability = "say", flow_cost = 1] -> B: Say(int) } }'
    )


def token(unique: str, seconds: float) -> bytes:
    limits = TokenLimits(expires=time.time() + seconds, roles=["A"])
    return ROOT.grant([f"{unique}:say"], limits)


async def revoke(runtime: pavane.Runtime, shown: bytes) -> None:
    ids = Verifier(ROOT.public).ids(shown)
    await Revocations(runtime.broker, ROOT.public).revoke(ids[:1], ROOT.key)


def unchecked(self: Verifier, holder: Identity, token: bytes, capability: str) -> None:
    """A sender that does not ask whether it may."""


async def bursts(me: pavane.Endpoint) -> None:
    for number in range(COUNT):
        await me.send("Say", number)
        if number % BURST == BURST - 1:
            await me.sleep(0.5)


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a27_a_new_message_is_refused_when_the_token_is_over(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(Verifier, "require", unchecked)
    shown = token(unique, 1.5 if how == "expired" else 60)
    heard: list[int] = []

    async def listening(me: pavane.Endpoint) -> None:
        for _ in range(COUNT):
            heard.append(await me.receive("Say"))
            if how == "revoked" and len(heard) == 2 * BURST:
                await revoke(me.runtime, shown)

    tokens = {"A": shown}
    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        with pytest.raises(CapabilityDenied, match=how):
            await runtime.run(protocol(unique), A=bursts, B=listening, durable=True)
        assert runtime.audit.total == 1
    assert 0 < len(heard) < COUNT
    assert how == "expired" or len(heard) == 2 * BURST


async def at_once(me: pavane.Endpoint) -> None:
    for number in range(COUNT):
        await me.send("Say", number)


class Played:
    """A session whose B ends with the process that plays it, once it has recorded something."""

    def __init__(self, broker_url: str, unique: str) -> None:
        self.shown = token(unique, 60)
        self.heard: list[int] = []
        self.denied: list[str] = []
        self._protocol = protocol(unique)
        self._url = broker_url
        self._recorded = asyncio.Event()
        self.lives = 0

    async def hearer(self, me: pavane.Endpoint) -> None:
        self.heard.clear()
        for _ in range(COUNT):
            try:
                self.heard.append(await me.receive("Say"))
            except CapabilityDenied as error:
                self.denied.append(f"{error.message} {error.hint}")
                await self.record(me)
                raise
            if len(self.heard) == 4:
                await self.record(me)

    async def record(self, me: pavane.Endpoint) -> None:
        await me.run(lambda: None, name="a call")
        if not self.lives and (self.denied or not self.refusing):
            self._recorded.set()
            await asyncio.sleep(3600)

    refusing = False

    async def die(self) -> None:
        """Play until B has recorded something, and what comes then is another's."""
        async with self._opened() as runtime:
            playing = asyncio.create_task(self._play(runtime))
            await asyncio.wait_for(self._recorded.wait(), 10)
            playing.cancel()
            await asyncio.wait([playing])
        self.lives += 1

    async def revoke(self) -> None:
        async with self._opened() as runtime:
            await revoke(runtime, self.shown)

    async def go_on(self) -> None:
        async with self._opened() as runtime:
            await self._play(runtime)

    async def replayed(self) -> Replayed:
        async with self._opened() as runtime:
            found = runtime.replay(self._protocol, "s", "B", self.hearer)
            (again,) = [one async for one in found]
            return again

    async def _play(self, runtime: pavane.Runtime) -> None:
        roles = {"A": at_once, "B": self.hearer}
        await runtime.run(self._protocol, roles, durable=True, session="s")

    def _opened(self) -> AbstractAsyncContextManager[pavane.Runtime]:
        return pavane.open(self._url, tokens={"A": self.shown}, root_key=ROOT.public)


@pytest.fixture
async def kept(broker_url: str) -> AsyncIterator[str]:
    """The address of a broker that outlives its runtimes."""
    connection = await connect(broker_url)
    yield broker_url
    await connection.close()


async def test_a27_what_was_taken_before_the_revocation_is_taken_again_and_nothing_more(
    kept: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Verifier, "require", unchecked)
    played = Played(kept, unique)
    await played.die()
    await played.revoke()
    with pytest.raises(CapabilityDenied, match="revoked"):
        await played.go_on()
    assert played.heard == [0, 1, 2, 3]
    assert "issue another token" in played.denied[0]


async def test_a_message_that_was_refused_is_refused_again_whatever_the_token_is_now(
    kept: str, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(kept, unique)
    played.refusing = True
    require_at = Verifier.require_at

    def refusing(self: Verifier, when: float, holder: Identity, token: bytes, name: str) -> None:
        if len(played.heard) == 4 and not played.lives:
            raise CapabilityDenied(name, holder.role, holder.index, "not yet", hint="wait")
        require_at(self, when, holder, token, name)

    monkeypatch.setattr(Verifier, "require", unchecked)
    monkeypatch.setattr(Verifier, "require_at", refusing)
    await played.die()
    with pytest.raises(CapabilityDenied, match="not yet"):
        await played.go_on()
    assert played.heard == list(range(4))
    assert played.denied[0] == played.denied[1]
    again = await played.replayed()
    assert isinstance(again.error, CapabilityDenied)
    assert played.denied[2] == played.denied[0]
