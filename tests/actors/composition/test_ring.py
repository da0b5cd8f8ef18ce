"""Tokens that take something from each instance, and families that are heard in part."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.effects.identity import Identity

RING = """#[namespace = "{space}"]
choreography Council {{
    roles: W[N];
    loop (count: R) {{
        foreach i in W[0..N-1] {{
            W[i][journal_facts = "spoke", journal_merge = true] -> W[i+1]: Token(votes: list[i32]);
        }}
        W[N-1][journal_facts = "spoke", journal_merge = true] -> W[0]: Token(votes: list[i32]);
    }}
}}"""

CHAIN = """#[namespace = "{space}"]
choreography Chain {{ roles: W[N]; W[i] -> W[i+1]: Token(i32); }}"""

POLL = """#[namespace = "{space}"]
choreography Poll {{
    roles: Leader, Voter[N];
    Leader -> Voter[*]: Question(text: str);
    Voter[i] -> Leader: Vote(yes: bool);
    Leader -> Voter[*]: Result(yes: bool);
}}"""


async def vote(token: Any, me: Endpoint) -> dict[str, list[int]]:
    await asyncio.sleep(0)
    return {"votes": [*(token.votes if token else []), me.index]}


@pytest.mark.parametrize(("size", "rounds"), [(2, 1), (3, 1), (3, 3), (40, 1)])
async def test_a13_a_ring_folds_what_each_instance_has_to_say(
    runtime: pavane.Runtime, unique: str, size: int, rounds: int
) -> None:
    council = pavane.load(RING.format(space=unique))
    outcome = await runtime.run(council, W=pavane.ring(vote), bindings={"N": size, "R": rounds})
    assert outcome["W"][0].votes == [*range(size)] * rounds
    assert [f for f in outcome.facts if f == "spoke"] == ["spoke"] * size * rounds


async def test_a33_the_journals_of_a_ring_are_merged_along_it(
    runtime: pavane.Runtime, unique: str
) -> None:
    council = pavane.load(RING.format(space=unique))
    done = await runtime.run(council, W=pavane.ring(vote), bindings={"N": 4, "R": 1})
    known = [
        len(await runtime.journal.view(Identity(unique, "Council", done.session, "W", index)))
        for index in range(4)
    ]
    assert known == [4, 2, 3, 4]  # the token has come back to the first


@pytest.mark.parametrize("size", [2, 5])
async def test_a13_the_last_of_a_chain_has_its_say_too(
    runtime: pavane.Runtime, unique: str, size: int
) -> None:
    def add(token: int, me: Endpoint) -> int:
        return token + me.index

    chain = pavane.load(CHAIN.format(space=unique))
    outcome = await runtime.run(chain, W=pavane.ring(add, start=100), bindings={"N": size})
    assert outcome["W"] == {n: 100 + sum(range(n + 1)) for n in range(size)}


async def voter(me: Endpoint) -> bool:
    await me.receive("Question")
    if me.index == 3:
        await asyncio.sleep(0.4)
    await me.send("Vote", me.index != 1)
    return bool((await me.receive("Result")).yes)


@pytest.mark.parametrize("durable", [False, True])
async def test_a44_a_quorum_of_a_family_is_heard_before_all_of_it_is(
    runtime: pavane.Runtime, unique: str, durable: bool
) -> None:
    async def leader(me: Endpoint) -> list[int]:
        await me.send("Question", "lunch?")
        first = await pavane.early(me, "Vote", quorum=3)
        in_time = await pavane.early(me, "Vote", timeout=0.05)
        everyone: Any = await me.receive("Vote")
        await me.send("Result", sum(v.yes for v in first.values()) >= 2)
        return [len(first), len(in_time), len(everyone)]

    poll = pavane.load(POLL.format(space=unique))
    async with asyncio.timeout(20):
        outcome = await runtime.run(
            poll, Leader=leader, Voter=voter, bindings={"N": 4}, durable=durable, session=unique
        )
    assert outcome["Leader"] == [3, 3, 4]
    assert outcome["Voter"] == dict.fromkeys(range(4), True)


async def test_a44_nobody_is_early_where_no_family_speaks(
    runtime: pavane.Runtime, unique: str
) -> None:
    async def leader(me: Endpoint) -> None:
        await pavane.early(me, "Vote")

    poll = pavane.load(POLL.format(space=unique))
    with pytest.raises(pavane.ProtocolViolation, match="Vote"):
        await runtime.run(poll, Leader=leader, Voter=voter, bindings={"N": 4})
