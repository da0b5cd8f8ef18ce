"""Durable sessions against plain JetStream and plain NATS.

    python -m benchmarks.durable [stream | ask | replay]

* stream: messages/s of one channel, stored and delivered, against one JetStream publish for each
  message with 256 acks in flight, counted in an inbox of their own.
* ask: p50 of a round trip, against a round trip of plain nats-py that stores nothing.
* replay: messages/s of a session that is played again from its log, against reading as many
  messages with a plain ordered consumer.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import time

import nats

import pavane
from benchmarks.measure import PAYLOAD, Figure, medians, rate
from pavane.actors.endpoint.typed import RoleFunction
from pavane.broker.connect import connect
from pavane.broker.embedded import Server

MESSAGES = 20_000
ASKS = 1_000
REPLAYED = 100_000
FLIGHT = 256

stream = pavane.load(
    f"protocol Stream {{ roles: A, B; loop (count: {MESSAGES}) {{ A -> B: Item(String) }} }}"
)
long_stream = pavane.load(
    f"protocol Long {{ roles: A, B; loop (count: {REPLAYED}) {{ A -> B: Item(String) }} }}"
)
ask = pavane.load(
    f"protocol Ask {{ roles: A, B; loop (count: {ASKS}) {{ A -> B: Ask(String) B -> A: Tell(String) }} }}"
)


def sender(count: int) -> RoleFunction:
    async def send(me: pavane.Endpoint) -> None:
        for _ in range(count):
            await me.send("Item", PAYLOAD)

    return send


def receiver(count: int) -> RoleFunction:
    async def receive(me: pavane.Endpoint) -> None:
        for _ in range(count):
            await me.receive("Item")

    return receive


async def asker(me: pavane.Endpoint) -> float:
    times: list[float] = []
    for _ in range(ASKS):
        begun = time.perf_counter()
        await me.send("Ask", PAYLOAD)
        await me.receive("Tell")
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6


async def teller(me: pavane.Endpoint) -> None:
    for _ in range(ASKS):
        await me.send("Tell", await me.receive("Ask"))


# --- plain NATS --------------------------------------------------------------------------------


async def plain_stream(url: str) -> float:
    """One publish for each message, `FLIGHT` acks in flight; and a subscriber that counts."""
    client = await nats.connect(url)
    js = client.jetstream()
    name = f"plain{secrets.token_hex(4)}"
    await js.add_stream(name=name, subjects=[f"{name}.>"])
    inbox = client.new_inbox()
    room = asyncio.Semaphore(FLIGHT)
    acked = asyncio.Event()
    counts = {"acks": 0, "got": 0}

    async def on_ack(_: object) -> None:
        counts["acks"] += 1
        room.release()
        if counts["acks"] == MESSAGES:
            acked.set()

    async def on_message(_: object) -> None:
        counts["got"] += 1

    await client.subscribe(f"{inbox}.>", cb=on_ack)
    await client.subscribe(f"{name}.a", cb=on_message)
    payload = PAYLOAD.encode()

    async def work() -> None:
        for number in range(MESSAGES):
            await room.acquire()
            await client.publish(f"{name}.a", payload, reply=f"{inbox}.{number}")
        await acked.wait()

    found = await rate(MESSAGES, work())
    await js.delete_stream(name)
    await client.close()
    return found


async def plain_ask(url: str) -> float:
    """Publish to a callback that publishes back."""
    one, other = await nats.connect(url), await nats.connect(url)
    back = asyncio.Event()

    async def answer(_: object) -> None:
        await other.publish("answer", payload)

    async def answered(_: object) -> None:
        back.set()

    payload = PAYLOAD.encode()
    await other.subscribe("question", cb=answer)
    await one.subscribe("answer", cb=answered)
    await one.flush()
    await other.flush()
    times: list[float] = []
    for _ in range(ASKS):
        begun = time.perf_counter()
        await one.publish("question", payload)
        await back.wait()
        back.clear()
        times.append(time.perf_counter() - begun)
    await one.close()
    await other.close()
    return statistics.median(times) * 1e6


async def plain_read(url: str, name: str) -> float:
    """An ordered consumer with a callback."""
    client = await nats.connect(url)
    js = client.jetstream()
    got = 0
    done = asyncio.Event()

    async def on_message(_: object) -> None:
        nonlocal got
        got += 1
        if got == REPLAYED:
            done.set()

    async def work() -> None:
        await js.subscribe(f"{name}.a", stream=name, ordered_consumer=True, cb=on_message)
        await done.wait()

    found = await rate(REPLAYED, work())
    await client.close()
    return found


async def filled(url: str) -> str:
    """A stream with as many plain messages as the session has."""
    name = f"plain{secrets.token_hex(4)}"
    broker = await connect(url)
    await broker.ensure_stream(name, [f"{name}.>"])
    payload = PAYLOAD.encode()
    for start in range(0, REPLAYED, 1000):
        await asyncio.gather(
            *(
                broker.submit(name, f"{name}.a", payload, message_id=f"{start + n}")
                for n in range(1000)
            )
        )
    await broker.close()
    return name


# --- ours ---------------------------------------------------------------------------------------


async def durable_stream(runtime: pavane.Runtime) -> float:
    roles = {"A": sender(MESSAGES), "B": receiver(MESSAGES)}
    return await rate(MESSAGES, runtime.run(stream, roles, durable=True))


async def durable_ask(runtime: pavane.Runtime) -> float:
    outcome = await runtime.run(ask, A=asker, B=teller, durable=True)
    return float(outcome["A"])


async def replayed(runtime: pavane.Runtime, session: str) -> float:
    async def work() -> None:
        async for found in runtime.replay(long_stream, session, "B", receiver(REPLAYED)):
            assert found.is_faithful
            assert found.end == "done"

    return await rate(REPLAYED, work())


async def main(wanted: list[str]) -> None:
    async with Server() as server, pavane.open(server.url) as runtime:
        if "stream" in wanted:
            ours, theirs = await medians(
                lambda: durable_stream(runtime), lambda: plain_stream(server.url)
            )
            Figure("durable stream", ours, theirs, ours / theirs, 2.0, "/s").show()
        if "ask" in wanted:
            ours, theirs = await medians(
                lambda: durable_ask(runtime), lambda: plain_ask(server.url)
            )
            Figure("durable ask, p50", ours, theirs, theirs / ours, 1 / 1.5, "us").show()
        if "replay" in wanted:
            roles = {"A": sender(REPLAYED), "B": receiver(REPLAYED)}
            await runtime.run(long_stream, roles, durable=True, session="long")
            name = await filled(server.url)
            ours, theirs = await medians(
                lambda: replayed(runtime, "long"), lambda: plain_read(server.url, name), 3
            )
            Figure("replay", ours, theirs, ours / theirs, 0.7, "/s").show()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["stream", "ask", "replay"]))
