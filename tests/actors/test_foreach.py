"""Rings, pipelines and rounds over a family, run."""

from __future__ import annotations

import pytest

import pavane

RING = """choreography Ring {
    roles: Node[N];

    foreach i in Node[0..N-1] { Node[i] -> Node[i+1]: Token(hops: int); }
    Node[N-1] -> Node[0]: Token(hops: int);
}"""

PIPELINE = """choreography Pipeline {
    roles: Source, Stage[N], Sink;

    Source -> Stage[0]: Item(value: int);
    Stage[i] -> Stage[i+1]: Item(value: int);
    Stage[N-1] -> Sink: Item(value: int);
}"""

ROUNDS = """choreography Rounds {
    roles: Lead, W[N];

    foreach i in W { Lead -> W[i]: Task(number: int); W[i] -> Lead: Done(number: int); }
}"""


@pytest.mark.parametrize("size", [2, 3, 100])
async def test_a13_a_ring_passes_one_token_through_all_in_order(broker_url: str, size: int) -> None:
    order = list[int]()

    async def node(me: pavane.Endpoint) -> int:
        if me.index == 0:
            await me.send("Token", hops=1)
            token = await me.receive("Token")
        else:
            token = await me.receive("Token")
            await me.send("Token", hops=token.hops + 1)
        order.append(me.index)
        return int(token.hops)

    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(pavane.load(RING), bindings={"N": size}, Node=node)
    assert outcome["Node"] == {i: i or size for i in range(size)}
    assert order == [*range(1, size), 0]


async def test_a13_a_node_cannot_send_before_it_has_received(broker_url: str) -> None:
    async def hasty(me: pavane.Endpoint) -> None:
        await me.send("Token", hops=me.index)
        await me.receive("Token")

    async with pavane.open(broker_url) as runtime:
        with pytest.raises(pavane.ProtocolViolation, match=r"Node\[[12]\] cannot do !Token"):
            await runtime.run(pavane.load(RING), bindings={"N": 3}, Node=hasty)


async def test_a13_a_free_index_with_arithmetic_is_a_pipeline(broker_url: str) -> None:
    async def source(me: pavane.Endpoint) -> None:
        await me.send("Item", value=1)

    async def stage(me: pavane.Endpoint) -> None:
        item = await me.receive("Item")
        await me.send("Item", value=item.value * 2)

    async def sink(me: pavane.Endpoint) -> int:
        return int((await me.receive("Item")).value)

    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(
            pavane.load(PIPELINE), bindings={"N": 5}, Source=source, Stage=stage, Sink=sink
        )
    assert outcome["Sink"] == 32


async def test_a13_a_role_outside_the_family_goes_through_it_in_order(broker_url: str) -> None:
    async def lead(me: pavane.Endpoint) -> list[int]:
        answers = list[int]()
        for number in range(me.size("W")):
            await me.send("Task", number=number * 10)
            answers.append((await me.receive("Done")).number)
        return answers

    async def worker(me: pavane.Endpoint) -> None:
        task = await me.receive("Task")
        await me.send("Done", number=task.number + me.index)

    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(pavane.load(ROUNDS), bindings={"N": 7}, Lead=lead, W=worker)
    assert outcome["Lead"] == [0, 11, 22, 33, 44, 55, 66]
