"""Tokens handed on: narrowed along a chain, endorsed by third parties, revoked for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pavane.broker.contract import Broker
from pavane.effects.capability.files import read_key, read_public_key, read_token, write_token
from pavane.effects.capability.revocation import REVOCATIONS, SUBJECT, Revocations
from pavane.effects.capability.tokens import Authority, Key, TokenLimits, endorsed, narrowed
from pavane.effects.capability.verifier import Verifier
from pavane.effects.errors import (
    CapabilityDenied,
    InvalidEffect,
    InvalidName,
    KeyRefused,
    TokenRefused,
)
from pavane.effects.identity import Identity

NOW = 1_800_000_000.0
ADMIN = Identity("ns", "Proto", "s1", "Admin")
ROOT = Authority(b"r" * 32)
BANK = Key(b"b" * 32)


def verifier(**more: Any) -> Verifier:
    return Verifier(ROOT.public, clock=lambda: NOW, **more)


def granted(**limits: Any) -> bytes:
    return ROOT.grant(["ns:x", "ns:y"], TokenLimits(expires=NOW + 60, **limits))


def shows(token: bytes, capability: str, holder: Identity = ADMIN, **more: Any) -> bool:
    try:
        verifier(**more).require(holder, token, capability)
    except CapabilityDenied:
        return False
    return True


LIMITS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"roles": ["Admin", "Auditor"]}, {"role": "User"}, "another role"),
    ({"protocols": ["Proto"]}, {"protocol": "Other"}, "another protocol"),
    ({"sessions": ["s1"]}, {"session": "s2"}, "another session"),
    ({"namespaces": ["ns"]}, {"namespace": "other"}, "another namespace"),
    ({"holder": ADMIN}, {"index": 1}, "another role instance or session"),
]


@pytest.mark.parametrize("late", [False, True], ids=["issued", "narrowed"])
@pytest.mark.parametrize(("limits", "other", "why"), LIMITS)
def test_a27_a_token_is_limited_by_role_protocol_session_and_namespace(
    limits: dict[str, Any], other: dict[str, Any], why: str, late: bool
) -> None:
    token = (
        narrowed(granted(), ROOT.public, limits=TokenLimits(**limits))
        if late
        else granted(**limits)
    )
    assert shows(token, "ns:x")
    with pytest.raises(CapabilityDenied, match=why):
        verifier().require(replace(ADMIN, **other), token, "ns:x")


def test_an_empty_list_leaves_nobody() -> None:
    assert not shows(granted(roles=[]), "ns:x")
    assert not shows(granted(capabilities=[]), "ns:x")


NAMES = st.sampled_from(["ns:x", "ns:y", "other:z"])
ROLES = st.sampled_from(["Admin", "Auditor", "User"])
STEP = st.one_of(
    st.builds(TokenLimits, capabilities=st.sets(NAMES)),
    st.builds(TokenLimits, roles=st.sets(ROLES)),
    st.builds(TokenLimits, expires=st.sampled_from([NOW - 5, NOW, NOW + 100])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=3))
def test_a_chain_of_delegations_grants_what_every_link_allows(chain: list[TokenLimits]) -> None:
    token = granted()
    for limits in chain:
        token = narrowed(token, ROOT.public, limits=limits)
    for capability in ("ns:x", "ns:y", "other:z"):
        for role in ("Admin", "Auditor", "User"):
            wanted = capability in ("ns:x", "ns:y") and all(
                (link.capabilities is None or capability in link.capabilities)
                and (link.roles is None or role in link.roles)
                and (link.expires is None or link.expires >= NOW)
                for link in chain
            )
            assert shows(token, capability, replace(ADMIN, role=role)) == wanted


@pytest.mark.parametrize("name", ['a"b', "a\\b", "", "a\nb", "x" * 257])
def test_what_cannot_be_in_a_token_is_refused_when_it_is_made(name: str) -> None:
    makers: list[Callable[[], bytes]] = [
        lambda: ROOT.grant([name], TokenLimits(expires=NOW)),
        lambda: granted(roles=[name]),
        lambda: narrowed(granted(), ROOT.public, capabilities=[name]),
        lambda: endorsed(granted(), ROOT.public, BANK, [name]),
    ]
    for make in makers:
        with pytest.raises(InvalidName):
            make()
    with pytest.raises(InvalidName, match="end"):
        ROOT.grant(["ns:x"], TokenLimits())


ONE: Any = "ns:x"


def test_one_name_is_no_list_of_names() -> None:
    makers: list[Callable[[], bytes]] = [
        lambda: ROOT.grant(ONE, TokenLimits(expires=NOW)),
        lambda: ROOT.issue(ADMIN, ONE, NOW),
        lambda: granted(roles=ONE),
        lambda: narrowed(granted(), ROOT.public, capabilities=ONE),
        lambda: endorsed(granted(), ROOT.public, BANK, ONE),
    ]
    for make in makers:
        with pytest.raises(InvalidName, match="it is one name") as caught:
            make()
        assert caught.value.hint == "write a list: ['ns:x']"


def test_a_name_is_a_text() -> None:
    number: Any = 7
    with pytest.raises(InvalidName, match="name 7 cannot be in a token: it is no text"):
        ROOT.grant([number], TokenLimits(expires=NOW))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (ROOT.public.hex(), "of type str, not bytes"),
        (b"short", "has 5 bytes, and a key has 32"),
        (b"\x07" * 32, "no Ed25519 key"),
    ],
    ids=["text", "short", "none"],
)
def test_what_is_no_key_is_refused_and_not_quoted(key: Any, said: str, broker: Broker) -> None:
    users: list[Callable[[], object]] = [
        lambda: Verifier(key),
        lambda: verifier(endorsers={key: ["bank"]}),
        lambda: Revocations(broker, key),
        lambda: narrowed(granted(), key),
    ]
    for use in users:
        with pytest.raises(KeyRefused, match=said) as caught:
            use()
        assert str(key) not in str(caught.value)


@pytest.mark.parametrize("spaces", ["bank", b"bytes", 7])
def test_the_namespaces_of_a_third_party_are_a_list(spaces: Any) -> None:
    with pytest.raises(InvalidEffect, match="is not a list of namespaces"):
        verifier(endorsers={BANK.public: spaces})


# third parties ----------------------------------------------------------------------------------


def test_a_third_party_adds_rights_of_its_own_namespaces_where_its_key_is_known() -> None:
    token = endorsed(granted(roles=["Admin"]), ROOT.public, BANK, ["bank:pay"], expires=NOW + 30)
    known = {BANK.public: ["bank"]}
    assert shows(token, "bank:pay", endorsers=known)
    assert shows(token, "ns:x", endorsers=known)
    assert not shows(token, "bank:audit", endorsers=known)
    assert not shows(token, "bank:pay", replace(ADMIN, role="User"), endorsers=known)
    late = Verifier(ROOT.public, clock=lambda: NOW + 31, endorsers=known)
    with pytest.raises(CapabilityDenied, match="expired"):
        late.require(ADMIN, token, "bank:pay")
    less = narrowed(token, ROOT.public, capabilities=["bank:pay"])
    assert shows(less, "bank:pay", endorsers=known)
    assert not shows(less, "ns:x", endorsers=known)


@pytest.mark.parametrize(
    ("capability", "known"),
    [
        ("bank:pay", {}),
        ("bank:pay", {Key(b"o" * 32).public: ["bank"]}),
        ("bank:pay", {BANK.public: ["shop"]}),
        ("bank:pay", {BANK.public: []}),
        ("ns:z", {BANK.public: ["bank"]}),
    ],
)
def test_a_third_party_is_believed_in_nothing_else(
    capability: str, known: dict[bytes, list[str]]
) -> None:
    token = endorsed(granted(), ROOT.public, BANK, [capability])
    with pytest.raises(TokenRefused):
        verifier(endorsers=known).verify(token, ADMIN)


# revocation -------------------------------------------------------------------------------------


def id_of(token: bytes) -> str:
    """That of the token's last block."""
    known = verifier(endorsers={BANK.public: ["bank"]})
    return known.ids(token)[-1]


async def test_a_revocation_reaches_every_process_at_once(broker: Broker) -> None:
    authority = Authority()
    token = authority.grant(["ns:x"], TokenLimits(expires=NOW + 60))
    early, late = (Verifier(authority.public, clock=lambda: NOW) for _ in range(2))
    lists = [Revocations(broker, authority.public) for _ in range(2)]
    await lists[0].watch(early)
    early.require(ADMIN, token, "x")
    await lists[0].revoke([early.ids(token)[-1]], authority.key, reason="lost")

    def refused() -> bool:
        try:
            early.require(ADMIN, token, "x")
        except CapabilityDenied as denied:
            return "revoked" in denied.reason
        return False

    async with asyncio.timeout(5):
        while not refused():
            await asyncio.sleep(0.002)
    await lists[1].watch(late)
    with pytest.raises(CapabilityDenied, match="revoked"):
        late.require(ADMIN, token, "x")
    assert "lost" in [one.reason for one in await lists[1].list()]
    for one in lists:
        await one.close()


async def test_only_the_authority_revokes(broker: Broker) -> None:
    token, stranger = granted(), Key()
    revocations = Revocations(broker, ROOT.public)
    await Revocations(broker, stranger.public).revoke([id_of(token)], stranger)
    await broker.append(REVOCATIONS, SUBJECT, b"\xff nothing of ours")
    here = verifier()
    await revocations.watch(here)
    here.require(ADMIN, token, "ns:x")
    await revocations.revoke([id_of(token)], ROOT.key)
    assert [one.id for one in await revocations.list()][-1] == id_of(token)
    with pytest.raises(InvalidName):
        await revocations.revoke(["no id"], ROOT.key)
    await revocations.close()


async def test_a_revocation_that_nobody_would_heed_is_refused(broker: Broker) -> None:
    revocations = Revocations(broker, ROOT.public)
    wanted = id_of(granted())
    with pytest.raises(KeyRefused, match="not that of the authority") as caught:
        await revocations.revoke([wanted], Key())
    assert caught.value.hint
    await broker.ensure_stream(REVOCATIONS, [SUBJECT])
    stored = [record.payload async for record in broker.read(REVOCATIONS, SUBJECT)]
    assert not any(wanted.encode() in payload for payload in stored)


def test_an_epoch_that_turns_ends_what_was_verified() -> None:
    here, token = verifier(), granted()
    first = here.verified(token, ADMIN)
    assert here.verified(token, ADMIN) is first
    here.turn()
    assert here.verified(token, ADMIN) is not first


# files ------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=300))
def test_a_token_survives_its_file(token: bytes) -> None:
    assert read_token(write_token(token)) == token


@given(st.text(max_size=80))
def test_other_text_is_no_token_and_no_key(text: str) -> None:
    for read, error in ((read_key, ValueError), (read_public_key, ValueError)):
        with pytest.raises(error):
            read(text + "!")
    with pytest.raises(TokenRefused):
        read_token(text + "!")


async def test_lists_may_be_watched_twice_and_closed_unwatched(broker: Broker) -> None:
    revocations = Revocations(broker, ROOT.public)
    await revocations.close()
    here = verifier()
    await asyncio.gather(revocations.watch(here), revocations.watch(here))
    await revocations.close()
