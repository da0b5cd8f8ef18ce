"""What a runtime is opened with: tokens issued elsewhere, grants and budgets that are none."""

from __future__ import annotations

import time
from typing import Any

import pytest

import pavane
from pavane.actors.errors import InvalidGrant, UnknownGrantee
from pavane.actors.standin import StandIn
from pavane.effects.capability.files import write_token
from pavane.effects.capability.revocation import Revocations
from pavane.effects.capability.tokens import Authority, Key, TokenLimits, endorsed, narrowed
from pavane.effects.identity import Identity
from pavane.effects.pipeline.pipeline import LOOKED_AT, Heard
from pavane.language.machine import Action

TEXT = """#[namespace = "%s"]
protocol Launch {
    roles: Pilot, Rocket, Crew[2];
    Pilot[guard_capability = "launch"] -> Rocket: Ignite(seconds: int);
    Crew[*][guard_capability = "board"] -> Rocket: Aboard;
}
"""
ROOT = Authority(b"r" * 32)


@pytest.fixture
def launch(unique: str) -> pavane.Choreography:
    choreography = pavane.load(TEXT % unique)
    for role in choreography.roles:
        choreography.role(role)(StandIn())
    return choreography


def token(namespace: str, *capabilities: str, **limits: Any) -> bytes:
    names = [f"{namespace}:{name}" for name in capabilities]
    return ROOT.grant(names, TokenLimits(expires=time.time() + 60, **limits))


async def test_a27_roles_play_with_tokens_that_were_issued_elsewhere(
    broker_url: str, launch: pavane.Choreography, unique: str
) -> None:
    tokens: dict[str, bytes | str] = {
        "Pilot": token(unique, "launch", roles=["Pilot"]),
        "Crew": write_token(token(unique, "board", protocols=["Launch"])),
    }
    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        outcome = await runtime.run(launch)
    assert outcome.charged == 300


async def test_a27_a_role_without_a_token_or_with_anothers_is_denied(
    broker_url: str, launch: pavane.Choreography, unique: str
) -> None:
    crew = token(unique, "board")
    for pilot, why in (
        (b"", "shows no token"),
        (token(unique, "launch", roles=["Rocket"]), "another role"),
        (token(unique, "launch", sessions=["s1"]), "another session"),
        (
            Authority().grant([f"{unique}:launch"], TokenLimits(expires=time.time() + 60)),
            "authority",
        ),
        (token(unique, "board"), "does not grant"),
    ):
        tokens = {"Pilot": pilot, "Crew": crew} if pilot else {"Crew": crew}
        async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
            with pytest.raises(pavane.CapabilityDenied, match=why):
                await runtime.run(launch)
            assert runtime.audit.total == 1
            level = await runtime.budgets.level(f"{unique}.Launch", "Pilot")
            assert level is not None and level.spent == 0


async def test_a_token_that_travels_is_of_no_use_to_who_receives_it(
    broker_url: str, launch: pavane.Choreography, unique: str
) -> None:
    tokens = {"Pilot": token(unique, "launch"), "Crew": token(unique, "board")}
    shown: list[bytes] = []

    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        check = runtime.pipeline.check_arrival

        def listening(
            action: Action, token: bytes, sender: Identity, heard: Heard = LOOKED_AT
        ) -> None:
            shown.append(token)
            check(action, token, sender, heard)

        runtime.pipeline.check_arrival = listening  # type: ignore[method-assign]
        await runtime.run(launch)
        assert len(set(shown)) == 3
    stolen: dict[str, bytes | str] = {"Pilot": shown[0], "Crew": tokens["Crew"]}
    async with pavane.open(broker_url, tokens=stolen, root_key=ROOT.public) as runtime:
        with pytest.raises(pavane.CapabilityDenied, match="another role instance or session"):
            await runtime.run(launch)


async def test_a_third_party_is_believed_where_the_runtime_lists_it(
    broker_url: str, launch: pavane.Choreography, unique: str
) -> None:
    party = Key()
    pilot = endorsed(token(unique, "other"), ROOT.public, party, [f"{unique}:launch"])
    tokens = {"Pilot": pilot, "Crew": token(unique, "board")}
    known = {party.public: [unique]}
    async with pavane.open(
        broker_url, tokens=tokens, root_key=ROOT.public, endorsers=known
    ) as runtime:
        await runtime.run(launch)
    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        with pytest.raises(pavane.CapabilityDenied, match="third party"):
            await runtime.run(launch)


async def test_a_revocation_ends_what_a_running_runtime_believes(
    broker_url: str, launch: pavane.Choreography, unique: str
) -> None:
    pilot = narrowed(token(unique, "launch"), ROOT.public, limits=TokenLimits(roles=["Pilot"]))
    tokens = {"Pilot": pilot, "Crew": token(unique, "board")}
    async with pavane.open(broker_url, tokens=tokens, root_key=ROOT.public) as runtime:
        await runtime.run(launch)
        revocations = Revocations(runtime.broker, ROOT.public)
        known = pavane.Verifier(ROOT.public).ids(pilot)
        await revocations.revoke(known[-1:], ROOT.key)
        with pytest.raises(pavane.CapabilityDenied, match="revoked"):
            while True:
                await runtime.run(launch)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budgets": {"Pilot": -1}}, "is -1, no whole number"),
        ({"budgets": {"Pilot": "many"}}, "is 'many', no whole number"),
        ({"budgets": {"Pilot": 1.5}}, "is 1.5"),
        ({"budgets": {"Pilot": True}}, "is True"),
        ({"budgets": {"Pilot": 2**60}}, "no whole number"),
        ({"grants": {"Pilot": "launch"}}, "is 'launch', no list"),
        ({"grants": {"Pilot": 7}}, "is 7, no list"),
        ({"grants": {"Pilot": [7]}}, "has 7, no capability"),
        ({"grants": {"Pilot": ['a"b']}}, "no capability"),
        ({"tokens": {"Pilot": "no token!"}}, "is no token"),
    ],
)
async def test_what_cannot_be_given_to_a_role_is_refused_before_anything_starts(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidGrant, match=said) as caught:
        async with pavane.open("nats://127.0.0.1:1", **given):
            raise AssertionError("never opened")
    assert caught.value.hint
    assert caught.value.role == "Pilot"


@pytest.mark.parametrize("what", ["grants", "budgets", "tokens"])
async def test_a_role_that_no_protocol_has_is_refused(
    launch: pavane.Choreography, unique: str, what: str
) -> None:
    value: dict[str, Any] = {"grants": [], "budgets": 5, "tokens": token(unique, "x")}
    given: dict[str, Any] = {what: {"Pliot": value[what]}}
    if what == "tokens":
        given["root_key"] = ROOT.public
    async with pavane.open("memory://", **given) as runtime:
        with pytest.raises(UnknownGrantee, match="Launch has no role Pliot") as caught:
            await runtime.run(launch)
    assert "Pilot, Rocket" in caught.value.hint


async def test_a_role_of_another_protocol_may_be_named(
    launch: pavane.Choreography, unique: str
) -> None:
    other = pavane.load(f'#[namespace = "{unique}"] protocol Talk {{ roles: A, B; A -> B: M; }}')
    async with pavane.open("memory://", budgets={"A": 5}) as runtime:
        runtime.register(other)
        await runtime.run(launch)


async def test_tokens_and_the_key_of_whoever_issued_them_go_together(
    launch: pavane.Choreography, unique: str
) -> None:
    held = {"Pilot": token(unique, "launch"), "Crew": token(unique, "board")}
    with pytest.raises(InvalidGrant, match="for Crew can be verified by nobody") as caught:
        async with pavane.open("nats://127.0.0.1:1", tokens=held):
            raise AssertionError("never opened")
    assert "root_key" in caught.value.hint
    with pytest.raises(pavane.KeyRefused, match="without tokens") as alone:
        async with pavane.open("nats://127.0.0.1:1", root_key=ROOT.public):
            raise AssertionError("never opened")
    assert "tokens={" in alone.value.hint
    async with pavane.open("memory://", tokens=held, authority=ROOT) as runtime:
        await runtime.run(launch)
    async with pavane.open("memory://", authority=ROOT, root_key=ROOT.public) as runtime:
        await runtime.run(launch)
    async with pavane.open("memory://", tokens={}, root_key=ROOT.public) as runtime:
        with pytest.raises(pavane.CapabilityDenied, match="no token"):
            await runtime.run(launch)


@pytest.mark.parametrize(
    "given",
    [
        {"root_key": ROOT.public.hex()},
        {"root_key": b"short"},
        {"root_key": b""},
        {"endorsers": {b"short": ["bank"]}},
    ],
)
async def test_what_is_no_key_is_refused_before_anything_starts(given: dict[str, Any]) -> None:
    with pytest.raises(pavane.KeyRefused, match="key"):
        async with pavane.open("nats://127.0.0.1:1", tokens={}, **given):
            raise AssertionError("never opened")


async def test_a27_a_token_without_room_for_its_holder_is_refused_at_once() -> None:
    """It would travel as it is, and whoever heard it could show it."""
    later = time.time() + 60
    chain = token("space", "launch")
    for _ in range(3):
        chain = narrowed(chain, ROOT.public, expires=later)
    with pytest.raises(InvalidGrant, match="no room for the one that says whose it is"):
        async with pavane.open("memory://", tokens={"Pilot": chain}, root_key=ROOT.public):
            pass
