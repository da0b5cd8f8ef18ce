"""Tokens that a runtime issues itself are renewed; what was given, or taken back, is not."""

from __future__ import annotations

import asyncio
import time

import pytest

import pavane
from pavane.actors.playing import Implementation
from pavane.broker.frame import Parts
from pavane.effects.capability.revocation import Revocations
from pavane.effects.capability.tokens import Authority, TokenLimits
from pavane.effects.errors import CapabilityDenied

HOUR = 3600.0
ROOT = Authority(b"r" * 32)
COUNT = 6
PAUSE = 0.7
DURABLE = [False, pytest.param(True, marks=pytest.mark.long)]
"""With real clocks, which take their time; simulated days are of both kinds."""

DAYS = pavane.load("""
protocol Days {
    roles: A, B;
    A[guard_capability = "c", flow_cost = 1] -> B: First;
    A[guard_capability = "c", flow_cost = 1] -> B: Second;
    B -> A: Seen;
}
""")


def simulated(*plan: pavane.Fault, durable: bool) -> pavane.SimulationConfig:
    return pavane.SimulationConfig(durable=durable, faults=[], plan=plan, horizon=10**6)


def speaker(*, after: float, durable: bool) -> Implementation:
    async def speak(me: pavane.Endpoint) -> None:
        await me.send("First")
        await (me.sleep if durable else asyncio.sleep)(after)
        await me.send("Second")
        await me.receive("Seen")

    return speak


def hearer(*, before: float = 0.0) -> Implementation:
    async def hear(me: pavane.Endpoint) -> None:
        await me.sleep(before)
        await me.receive("First")
        await me.receive("Second")
        await me.send("Seen")

    return hear


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("hours", [13, 25])
def test_a27_a_guarded_session_may_last_for_days(hours: float, durable: bool) -> None:
    asyncio.run(_play(speaker(after=hours * HOUR, durable=durable), hearer(), durable=durable))


def test_a27_a_durable_message_may_wait_for_days() -> None:
    """Its sender had the right when it was stored."""
    asyncio.run(_play(speaker(after=1.0, durable=True), hearer(before=30 * HOUR), durable=True))


@pytest.mark.parametrize("who", ["A", "B"])
@pytest.mark.parametrize(("at", "hours"), [(1, 22), (23, 8), (29, 20)])
def test_a27_whoever_plays_a_role_later_shows_a_token_of_his_own(
    who: str, at: float, hours: float
) -> None:
    """That of the worker before may end long before the session does."""
    crash = pavane.Fault("crash", who, at=at * HOUR, seconds=hours * HOUR)
    asyncio.run(_play(speaker(after=30 * HOUR, durable=True), hearer(), crash, durable=True))


async def _play(a: Implementation, b: Implementation, *plan: pavane.Fault, durable: bool) -> None:
    async with pavane.for_simulation(3, simulated(*plan, durable=durable)) as runtime:
        outcome = await runtime.run(DAYS, A=a, B=b)
    assert outcome.tallies["A"].sent == outcome.tallies["B"].received == 2
    assert outcome.tallies["A"].charged == 2


# --- with real clocks ----------------------------------------------------------------------


def protocol(unique: str) -> pavane.Choreography:
    return pavane.load(
        f'#[namespace = "{unique}"] protocol Talk {{ roles: A, B; loop (count: {COUNT}) {{'
        ' A[guard_capability = "say", flow_cost = 1] -> B: Say(int) } }'
    )


async def slowly(me: pavane.Endpoint) -> None:
    for number in range(COUNT):
        await me.send("Say", number)
        await me.sleep(PAUSE)


async def hearing(me: pavane.Endpoint) -> list[int]:
    return [await me.receive("Say") for _ in range(COUNT)]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tokens that travel, in order."""
    found: list[bytes] = []

    def parts(
        start: int | None = None, stop: int | None = None,
        token: bytes | None = None, trace: str | None = None,
    ) -> Parts:  # fmt: skip
        if token is not None:
            found.append(token)
        return Parts(start, stop, token, trace)

    monkeypatch.setattr("pavane.actors.endpoint.speaker.Parts", parts)
    return found


@pytest.mark.parametrize("durable", DURABLE)
async def test_a27_a_token_is_renewed_before_it_ends_and_shown_again(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, shown: list[bytes], durable: bool
) -> None:
    monkeypatch.setattr("pavane.actors.wallet.TOKEN_LIFE", 2.0)
    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(protocol(unique), A=slowly, B=hearing, durable=durable)
        assert outcome["B"] == list(range(COUNT))
        assert not runtime.audit.total
    assert 2 < len(shown) <= COUNT
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("durable", DURABLE)
async def test_a27_a_token_that_was_given_ends_when_its_issuer_said(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, shown: list[bytes], durable: bool
) -> None:
    monkeypatch.setattr("pavane.actors.wallet.TOKEN_LIFE", 1.0)
    limits = TokenLimits(expires=time.time() + 2, roles=["A"])
    tokens = {"A": ROOT.grant([f"{unique}:say"], limits)}
    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        with pytest.raises(CapabilityDenied, match="expired") as caught:
            await runtime.run(protocol(unique), A=slowly, B=hearing, durable=durable)
    assert "is not renewed" in caught.value.hint
    assert len(shown) == 1


@pytest.mark.parametrize("block", [0, -1])
@pytest.mark.parametrize("durable", DURABLE)
async def test_a27_what_was_taken_back_does_not_come_back_with_a_renewal(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, shown: list[bytes],
    durable: bool, block: int,
) -> None:  # fmt: skip
    monkeypatch.setattr("pavane.actors.wallet.TOKEN_LIFE", 6.0)
    heard: list[int] = []

    async def revoking(me: pavane.Endpoint) -> None:
        for _ in range(COUNT):
            heard.append(await me.receive("Say"))
            if len(heard) == 2:
                ids = pavane.Verifier(ROOT.public).ids(shown[0])
                revocations = Revocations(me.runtime.broker, ROOT.public)
                await revocations.revoke([ids[block]], ROOT.key)

    async def insisting(me: pavane.Endpoint) -> None:
        for number in range(2):
            await me.send("Say", number)
        await me.sleep(3.5)
        await me.send("Say", 2)

    async with pavane.open(broker_url, authority=ROOT) as runtime:
        with pytest.raises(CapabilityDenied, match="revoked") as caught:
            await runtime.run(protocol(unique), A=insisting, B=revoking, durable=durable)
    assert "issue another token" in caught.value.hint
    assert (heard, len(shown)) == ([0, 1], 1)


@pytest.mark.parametrize("durable", DURABLE)
async def test_a27_a_renewed_token_has_what_was_granted_and_nothing_more(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, shown: list[bytes], durable: bool
) -> None:
    monkeypatch.setattr("pavane.actors.wallet.TOKEN_LIFE", 2.0)
    two = pavane.load(
        f"protocol {unique} {{ roles: A, B;"
        ' loop (count: 2) { A[guard_capability = "say", flow_cost = 0] -> B: Say }'
        ' A[guard_capability = "shout", flow_cost = 0] -> B: Shout }'
    )

    async def louder(me: pavane.Endpoint) -> None:
        await me.send("Say")
        await me.sleep(1.2)
        await me.send("Say")
        await me.send("Shout")

    async def listening(me: pavane.Endpoint) -> None:
        for label in ("Say", "Say", "Shout"):
            await me.receive(label)

    async with pavane.open(broker_url, grants={"A": ["say"]}) as runtime:
        with pytest.raises(CapabilityDenied, match="does not grant"):
            await runtime.run(two, A=louder, B=listening, durable=durable)
    assert len(shown) == 2
