"""Families: collective sends, gathers, ranges and single instances."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.mailbox.inlet import WINDOW
from pavane.broker.contract import Broker
from pavane.broker.frame import decode

CONSENSUS = """
#[namespace = "group"]
protocol Consensus { roles: Leader, Followers[N];
  Leader -> Followers[*]: Proposal(int);
  Followers[i] -> Leader: Vote(int);
}"""


async def leader(me: Endpoint) -> dict[int, int]:
    await me.send("Proposal", 7)
    votes: dict[int, int] = await me.receive("Vote")
    return votes


async def follower(me: Endpoint) -> int:
    value: int = await me.receive("Proposal")
    await asyncio.sleep(0 if me.index % 2 else 0.001)
    await me.send("Vote", value * 100 + me.index)
    return value


@pytest.mark.parametrize("count", [1, 5, 100])
async def test_a09_a10_everyone_gets_one_copy_and_each_vote_its_index(
    runtime: pavane.Runtime, count: int
) -> None:
    consensus = pavane.load(CONSENSUS)
    roles: dict[str, Any] = {"Leader": leader, "Followers": follower}
    outcome = await runtime.run(consensus, bindings={"N": count}, **roles)
    assert outcome["Leader"] == {i: 700 + i for i in range(count)}
    assert list(outcome["Leader"]) == list(range(count))
    assert outcome["Followers"] == dict.fromkeys(range(count), 7)
    assert outcome.tallies["Leader"].sent == count
    if count > 1:
        assert outcome.tallies["Followers[1]"].received == 1


async def test_a10_a_collective_send_is_one_publish(
    runtime: pavane.Runtime, outsider: Broker
) -> None:
    seen: list[tuple[str, bytes]] = []
    watching = await outsider.subscribe(
        "group.>", lambda subject, data: seen.append((subject, data))
    )
    await runtime.run(
        pavane.load(CONSENSUS), bindings={"N": 50}, session="s", Leader=leader, Followers=follower
    )
    await outsider.drained()
    await asyncio.sleep(0.05)
    await watching.close()
    proposals = [
        subject for subject, data in seen for m in decode(data).messages if m.label == "Proposal"
    ]
    assert proposals == ["group.Consensus.Followers.all.s.Leader.0"]


async def test_a09_an_unbound_family_is_an_error_before_the_first_message(
    runtime: pavane.Runtime,
) -> None:
    with pytest.raises(pavane.BindingError, match="Followers") as caught:
        await runtime.run(pavane.load(CONSENSUS), Leader=leader, Followers=follower)
    assert caught.value.name in ("Followers", "N")


async def test_a_role_can_be_bound_beforehand(runtime: pavane.Runtime) -> None:
    bound = pavane.load(CONSENSUS).bind(Followers=3)
    outcome = await runtime.run(bound, Leader=leader, Followers=follower)
    assert len(outcome["Leader"]) == 3
    with pytest.raises(pavane.BindingError):
        pavane.load(CONSENSUS).bind(Followers=0)


THRESHOLD = """
protocol Threshold { roles: C, S[*];
  C -> S[*]: Request;
  S[0..threshold] -> C: Response(int);
  C -> S[1..3]: Thanks;
}"""


async def test_a11_exactly_those_instances_send_and_the_others_end(
    runtime: pavane.Runtime,
) -> None:
    async def c(me: Endpoint) -> list[int]:
        await me.send("Request")
        answers = await me.receive("Response")
        await me.send("Thanks")
        return list(answers)

    async def s(me: Endpoint) -> str:
        await me.receive("Request")
        if me.index < 2:
            await me.send("Response", me.index)
        if 1 <= me.index < 3:
            await me.receive("Thanks")
            return "thanked"
        assert me.is_over
        return "done"

    bindings = {"S": 5, "threshold": 2}
    outcome = await runtime.run(pavane.load(THRESHOLD), bindings=bindings, C=c, S=s)
    assert outcome["C"] == [0, 1]
    assert [outcome["S"][i] for i in range(5)] == ["done", "thanked", "thanked", "done", "done"]


@pytest.mark.parametrize("bindings", [{"S": 5}, {"S": 3, "threshold": 4}])
async def test_a11_a_threshold_unbound_or_too_high_is_an_error_before_the_first_message(
    runtime: pavane.Runtime, bindings: dict[str, int]
) -> None:
    async def never(me: Endpoint) -> None:
        raise AssertionError("nothing may start")

    with pytest.raises(pavane.BindingError):
        await runtime.run(pavane.load(THRESHOLD), bindings=bindings, C=never, S=never)


async def test_a08_one_instance_is_addressed_and_an_uninvolved_one_ends(
    runtime: pavane.Runtime,
) -> None:
    text = """protocol Static { roles: M, W[3];
      M -> W[0]: Task1(str); M -> W[1]: Task2(str); W[0] -> M: Result(str); }"""

    async def m(me: Endpoint) -> str:
        await me.send("Task1", "one")
        await me.send("Task2", "two", to="W[1]")
        return str(await me.receive("Result"))

    async def w(me: Endpoint) -> str:
        if me.index == 0:
            await me.send("Result", (await me.receive("Task1")).upper())
        elif me.index == 1:
            await me.receive("Task2")
        assert me.is_over
        return me.name

    outcome = await runtime.run(pavane.load(text), M=m, W=w)
    assert outcome["M"] == "ONE"
    assert outcome["W"] == {0: "W[0]", 1: "W[1]", 2: "W[2]"}


async def test_a_large_range_is_one_publish_with_the_range_in_the_envelope(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Part {{ roles: C, W[20];
      loop (count: 3) {{ C -> W[5..18]: Some(int); C -> W[*]: Every(int); }} }}"""

    async def c(me: Endpoint) -> None:
        for number in range(3):
            await me.send("Some", number)
            await me.send("Every", number)

    async def w(me: Endpoint) -> list[tuple[str, int]]:
        heard: list[tuple[str, int]] = []
        for _ in range(3):
            if 5 <= me.index < 18:
                heard.append(("Some", await me.receive("Some")))
            heard.append(("Every", await me.receive("Every")))
        return heard

    subjects: set[str] = set()
    watching = await outsider.subscribe(f"{unique}.>", lambda subject, _: subjects.add(subject))
    outcome = await runtime.run(pavane.load(text), session="s", C=c, W=w)
    await outsider.drained()
    await asyncio.sleep(0.05)
    await watching.close()
    assert subjects == {f"{unique}.Part.W.all.s.C.0"}
    for index, heard in outcome["W"].items():
        both = [(label, n) for n in range(3) for label in ("Some", "Every")]
        assert heard == [h for h in both if h[0] == "Every" or 5 <= index < 18]


async def test_single_and_collective_messages_keep_their_order(runtime: pavane.Runtime) -> None:
    text = """protocol Mixed { roles: C, W[3];
      loop (count: 100) { C -> W[1]: One(int); C -> W[*]: All(int); C -> W[1]: Two(int); } }"""

    async def c(me: Endpoint) -> None:
        for number in range(100):
            await me.send("One", number)
            await me.send("All", number)
            await me.send("Two", number)

    async def w(me: Endpoint) -> list[int]:
        heard: list[int] = []
        for _ in range(100):
            labels = ("One", "All", "Two") if me.index == 1 else ("All",)
            heard += [await me.receive(label) for label in labels]
        return heard

    outcome = await runtime.run(pavane.load(text), C=c, W=w)
    assert outcome["W"][1] == [n for n in range(100) for _ in range(3)]
    assert outcome["W"][2] == list(range(100))


async def test_a_family_that_speaks_to_itself_leaves_the_speaker_out(
    runtime: pavane.Runtime,
) -> None:
    text = "protocol Gossip { roles: W[N]; W[*] -> W[*]: Rumour(int); }"

    async def w(me: Endpoint) -> dict[int, int]:
        await me.send("Rumour", me.index)
        heard: dict[int, int] = await me.receive("Rumour")
        return heard

    outcome = await runtime.run(pavane.load(text), bindings={"N": 4}, W=w)
    for index, heard in outcome["W"].items():
        assert heard == {i: i for i in range(4) if i != index}


async def test_a_token_goes_round_a_ring_of_one_family(runtime: pavane.Runtime) -> None:
    text = """protocol Ring { roles: W[3];
      W[0] -> W[1]: Token(int); W[1] -> W[2]: Token(int); W[2] -> W[0]: Token(int); }"""

    async def w(me: Endpoint) -> int:
        if me.index == 0:
            await me.send("Token", 0)
            return int(await me.receive("Token"))
        held = int(await me.receive("Token"))
        await me.send("Token", held + 1)
        return held

    outcome = await runtime.run(pavane.load(text), W=w)
    assert outcome["W"] == {0: 2, 1: 0, 2: 1}


async def test_two_thousand_instances_of_a_family(runtime: pavane.Runtime) -> None:
    consensus = pavane.load(CONSENSUS).bind(Followers=2_000)

    async def quick(me: Endpoint) -> None:
        await me.send("Vote", await me.receive("Proposal"))

    outcome = await runtime.run(consensus, Leader=leader, Followers=quick)
    assert len(outcome["Leader"]) == 2_000


@pytest.mark.parametrize("count", [1, 3])
async def test_a12_a_family_of_any_size_shares_with_itself(
    runtime: pavane.Runtime, count: int
) -> None:
    """Of one, nobody: what it sends reaches no one, and what it gathers is empty."""
    share = pavane.load("""#[namespace = "sharing"] protocol Share { roles: A, W[N];
        A -> W[*]: Go; W[*] -> W[*]: Part(int); W[*] -> A: Sum(int); }""")

    async def first(me: Endpoint) -> Any:
        await me.send("Go")
        return await me.receive("Sum")

    async def worker(me: Endpoint) -> None:
        await me.receive("Go")
        await me.send("Part", me.index + 1)
        others: dict[int, int] = await me.receive("Part")
        await me.send("Sum", sum(others.values()))

    outcome = await runtime.run(share, bindings={"N": count}, A=first, W=worker)
    total = count * (count + 1) // 2
    assert outcome["A"] == {i: total - i - 1 for i in range(count)}


@pytest.mark.parametrize("durable", [False, True])
async def test_a12_who_is_the_whole_family_may_say_to_it_what_it_likes(
    runtime: pavane.Runtime, durable: bool
) -> None:
    """More than a window of messages that nobody is there to read."""
    many = 2 * WINDOW
    talk = pavane.load(f"""#[namespace = "alone"] protocol Talk {{ roles: A, W[N];
        A -> W[*]: Go; loop (count: {many}) {{ W[0] -> W[*]: Word; }} W[*] -> A: Done; }}""")

    async def first(me: Endpoint) -> Any:
        await me.send("Go")
        return await me.receive("Done")

    async def worker(me: Endpoint) -> None:
        await me.receive("Go")
        for _ in range(many):
            await me.send("Word")
        await me.send("Done")

    run = runtime.run(talk, bindings={"N": 1}, durable=durable, A=first, W=worker)
    assert (await run)["A"] == {0: None}


async def test_a12_who_speaks_to_nobody_for_ever_keeps_nobody_from_their_turn(
    runtime: pavane.Runtime,
) -> None:
    talk = pavane.load("""#[namespace = "alone"] protocol Endless { roles: A, W[N];
        A -> W[*]: Go; loop { W[0] -> W[*]: Word; } }""")

    async def first(me: Endpoint) -> None:
        await me.send("Go")

    async def worker(me: Endpoint) -> None:
        await me.receive("Go")
        while True:
            await me.send("Word")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await runtime.run(talk, bindings={"N": 1}, A=first, W=worker)
