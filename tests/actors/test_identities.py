"""Identities: who stands behind the instances of a family."""

from __future__ import annotations

import pytest

import pavane
from pavane.actors.errors import WrongIdentities
from pavane.actors.playing import Implementation

VOTE = """choreography Vote { roles: Leader, Signers[*];
    Leader -> Signers[*]: Ask(question: str);
    Signers[i] -> Leader: Answer(name: str);
}"""
NAMES = ["alice", "bob", "charlie"]


def vote() -> pavane.Choreography:
    return pavane.load(VOTE).identify(Signers=NAMES)


async def leader(me: pavane.Endpoint) -> dict[str, str]:
    await me.send("Ask", question="who are you?")
    answers = await me.receive("Answer")
    return {me.device("Signers", index): answer.name for index, answer in answers.items()}


async def test_a12_traffic_goes_to_the_identities(broker_url: str) -> None:
    def signer(name: str) -> Implementation:
        async def play(me: pavane.Endpoint) -> None:
            assert me.identity == name
            await me.receive("Ask")
            await me.send("Answer", name=name)

        return play

    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(
            vote(), {"Leader": leader, "Signers": {name: signer(name) for name in NAMES}}
        )
    assert outcome["Leader"] == {name: name for name in NAMES}


def test_a12_device_tells_who_an_instance_is() -> None:
    assert vote().device("Signers", 2) == "charlie"
    assert vote().bindings == {"Signers": 3}


@pytest.mark.parametrize("names", [["alice", "bob", "alice"], [], ["alice", ""]])
def test_a12_identities_with_duplicates_or_without_a_name_are_refused(names: list[str]) -> None:
    with pytest.raises(WrongIdentities, match="Signers"):
        pavane.load(VOTE).identify(Signers=names)


def test_a12_a_list_of_another_length_is_refused() -> None:
    with pytest.raises(WrongIdentities, match="Signers: there are 2 instances, and 3 identities"):
        pavane.load(VOTE).bind(Signers=2).identify(Signers=NAMES)
    fixed = "choreography F { roles: A, W[2]; A -> W[*]: M; }"
    with pytest.raises(WrongIdentities, match="W: there are 2 instances, and 3 identities"):
        pavane.load(fixed).identify(W=NAMES)


async def test_a12_rebinding_when_it_starts_is_refused(broker_url: str) -> None:
    async def nobody(me: pavane.Endpoint) -> None:
        raise AssertionError

    async with pavane.open(broker_url) as runtime:
        with pytest.raises(WrongIdentities, match="Signers: there are 5 instances"):
            await runtime.run(vote(), bindings={"Signers": 5}, Leader=nobody, Signers=nobody)
        with pytest.raises(WrongIdentities, match="Signers: alice has no function"):
            await runtime.run(vote(), {"Leader": nobody, "Signers": {"dave": nobody}})
