"""What a plain client of the broker sees of a session, and how channels keep their pace."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest
from nats.aio.client import Client

import pavane
from pavane import Endpoint
from pavane.actors.mailbox.inlet import BYTES, WINDOW
from pavane.actors.standin import StandIn
from pavane.broker.contract import Broker
from pavane.broker.frame import decode


async def test_a47_mailboxes_are_named_namespace_protocol_role_index(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Named {{ roles: L, W[2], X;
      L -> W[*]: Ask(int); W[i] -> L: Answer; L -> W[1]: Again; L -> X: Bye; }}"""
    seen: list[str] = []
    watching = await outsider.subscribe(f"{unique}.>", lambda subject, _: seen.append(subject))
    await runtime.run(pavane.load(text), session="s1", L=StandIn(), W=StandIn(), X=StandIn())
    await outsider.drained()
    await asyncio.sleep(0.05)
    await watching.close()
    assert sorted(set(seen)) == [
        f"{unique}.Named.L.0.s1.W.0",
        f"{unique}.Named.L.0.s1.W.1",
        f"{unique}.Named.W.1.s1.L.0",
        f"{unique}.Named.W.all.s1.L.0",
        f"{unique}.Named.X.0.s1.L.0",
    ]


async def test_a47_a_plain_nats_client_sees_exactly_that(nats_url: str, unique: str) -> None:
    client: Any = Client()
    await client.connect(nats_url)
    seen: list[str] = []

    async def note(message: Any) -> None:
        seen.append(message.subject)

    await client.subscribe(f"{unique}.>", cb=note)
    await client.flush()
    text = f"""#[namespace = "{unique}"] protocol P {{ roles: A, B; A -> B: M; B -> A: N; }}"""
    async with pavane.open(nats_url) as runtime:
        await runtime.run(pavane.load(text), session="s", A=StandIn(), B=StandIn())
    await client.flush()
    await asyncio.sleep(0.05)
    await client.close()
    assert seen == [f"{unique}.P.B.0.s.A.0", f"{unique}.P.A.0.s.B.0"]


STREAM = "protocol Stream { roles: A, B; loop (count: N) { A -> B: Item(int); } }"


async def test_a53_a_slow_receiver_slows_its_sender(runtime: pavane.Runtime) -> None:
    count = 4 * WINDOW
    sent = 0
    ahead: list[int] = []

    async def a(me: Endpoint) -> None:
        nonlocal sent
        for number in range(count):
            await me.send("Item", number)
            sent = number + 1

    async def b(me: Endpoint) -> int:
        for number in range(count):
            if number % 500 == 0:
                await asyncio.sleep(0.01)
                ahead.append(sent - number)
            assert await me.receive("Item") == number
        return count

    outcome = await runtime.run(pavane.load(STREAM), bindings={"N": count}, A=a, B=b)
    assert outcome["B"] == count
    assert max(ahead) <= WINDOW


async def test_a53_a_slow_instance_slows_the_collective_sender(runtime: pavane.Runtime) -> None:
    text = "protocol Spread { roles: A, W[3]; loop (count: N) { A -> W[*]: Item(int); } }"
    count = 3 * WINDOW
    sent = 0
    ahead: list[int] = []

    async def a(me: Endpoint) -> None:
        nonlocal sent
        for number in range(count):
            await me.send("Item", number)
            sent = number + 1

    async def w(me: Endpoint) -> int:
        for number in range(count):
            if me.index == 1 and number % 500 == 0:
                await asyncio.sleep(0.01)
                ahead.append(sent - number)
            assert await me.receive("Item") == number
        return count

    outcome = await runtime.run(pavane.load(text), bindings={"N": count}, A=a, W=w)
    assert list(outcome["W"].values()) == [count] * 3
    assert max(ahead) <= WINDOW


async def test_a53_large_messages_are_held_back_by_their_bytes(runtime: pavane.Runtime) -> None:
    text = "protocol Big { roles: A, B; loop (count: 80) { A -> B: Blob(bytes); } }"
    blob = b"x" * 900_000
    sent = 0
    ahead: list[int] = []

    async def a(me: Endpoint) -> None:
        nonlocal sent
        for _ in range(80):
            await me.send("Blob", blob)
            sent += 1

    async def b(me: Endpoint) -> int:
        for number in range(80):
            await asyncio.sleep(0.005)
            ahead.append(sent - number)
            assert len(await me.receive("Blob")) == 900_000
        return 80

    assert (await runtime.run(pavane.load(text), A=a, B=b))["B"] == 80
    assert max(ahead) * 900_000 <= BYTES + 2 * 900_000


async def test_a_long_loop_runs_in_flat_memory() -> None:
    marks: list[int] = []

    async def a(me: Endpoint) -> None:
        for number in range(60_000):
            await me.send("Item", number)
            if number in (20_000, 50_000):
                marks.append(tracemalloc.get_traced_memory()[0])

    async def b(me: Endpoint) -> None:
        for _ in range(60_000):
            await me.receive("Item")

    async with pavane.for_testing() as runtime:
        stream = pavane.load(STREAM)
        await runtime.run(stream, bindings={"N": 3}, A=StandIn(), B=StandIn())
        tracemalloc.start()
        try:
            await runtime.run(stream, bindings={"N": 60_000}, A=a, B=b)
        finally:
            tracemalloc.stop()
    assert marks[1] - marks[0] < 300_000


async def test_a_tick_of_messages_leaves_in_one_frame(
    runtime: pavane.Runtime, outsider: Broker, unique: str
) -> None:
    text = f"""#[namespace = "{unique}"]
    protocol Pack {{ roles: A, B; loop (count: 40) {{ A -> B: Item(int); }} }}"""
    sizes: list[int] = []
    watching = await outsider.subscribe(
        f"{unique}.Pack.B.>", lambda _, data: sizes.append(len(decode(data).messages))
    )

    async def a(me: Endpoint) -> None:
        for number in range(40):
            await me.send("Item", number)
            if number == 24:
                await asyncio.sleep(0.01)

    await runtime.run(pavane.load(text), A=a, B=StandIn())
    await outsider.drained()
    await asyncio.sleep(0.05)
    await watching.close()
    assert sizes == [25, 15]


async def test_large_payloads_share_no_frame_beyond_what_the_broker_takes(
    runtime: pavane.Runtime,
) -> None:
    text = "protocol Big { roles: A, B; loop (count: 5) { A -> B: Blob(bytes); } }"
    blob = b"x" * 500_000

    async def a(me: Endpoint) -> None:
        with pytest.raises(pavane.BrokerError, match="larger"):
            await me.send("Blob", b"x" * 3_000_000)
        for _ in range(5):
            await me.send("Blob", blob)

    async def b(me: Endpoint) -> int:
        return sum([len(await me.receive("Blob")) for _ in range(5)])

    outcome = await runtime.run(pavane.load(text), A=a, B=b)
    assert outcome["B"] == 2_500_000
