"""One message to 1000 instances in four processes, over NATS: what it takes of the sender until it is
with the server, against 1000 publishes of nats-py, and how long until the last instance has it,
against 30 ms and against the callbacks of 1000 plain subscriptions in four processes.

The sender's part is measured in processor time: on few cores the receivers are at work already. It is
taken twice: of messages that are sent one after the other, each when the server has the one before,
which is the rate at which one can send; and of messages after a pause each, when a process that has
slept has to be woken, and nothing that it needs is near the processor.

The instances are four families of 250, one to a process; `A ->* : Tick` reaches them all."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Any

import pavane
from pavane import Endpoint
from pavane.broker.connect import connect
from pavane.broker.embedded import Server

from .measure import PAYLOAD, Figure, PlainMessage, main_on_loops, plain_client

FAMILIES = ("W", "X", "Y", "Z")
EACH = 250
ROUNDS = 30
"""Messages after a pause each, and then as many one after the other."""

LIMIT = 30.0
PAUSE = 0.15
"""Seconds between two messages, so that each finds everybody waiting."""

PAUSES = [PAUSE] * ROUNDS + [0.0] * ROUNDS

SESSION = "broadcast"
TEXT = f"""protocol Fan {{ roles: A, {", ".join(f"{f}[{EACH}]" for f in FAMILIES)};
  loop (count: {len(PAUSES)}) {{ A ->* : Tick(str); }} }}"""

Times = list[float]
"""Moments of the machine's one monotonic clock, in seconds, one for each round."""


async def lead(url: str, sent: Times, spent: Times) -> None:
    async def a(me: Endpoint) -> None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            sent.append(time.monotonic())
            begun = time.process_time()
            await me.send("Tick", PAYLOAD)
            # What is sent goes out at the end of the turn, and only then what asks for it.
            await asyncio.sleep(0)
            await runtime.broker.drained()
            spent.append(time.process_time() - begun)

    async with pavane.open(url) as runtime:
        await runtime.join(pavane.load(TEXT), session=SESSION, A=a)


async def follow(url: str, family: str) -> Times:
    """Play one family; when the last instance had each message."""
    last = [0.0] * len(PAUSES)

    async def instance(me: Endpoint) -> None:
        for number in range(len(PAUSES)):
            await me.receive("Tick")
            last[number] = time.monotonic()

    async with pavane.open(url) as runtime:
        await runtime.join(pavane.load(TEXT), {family: instance}, session=SESSION)
    return last


async def plain_lead(url: str, sent: Times, spent: Times) -> None:
    """A thousand publishes to a thousand subjects, and then a message to ourselves that shows that
    the server has them. After a pause, all that was sent before has come."""
    awaited = len(FAMILIES)
    echoed, done = asyncio.Event(), asyncio.Event()

    async def count(_: PlainMessage) -> None:
        nonlocal awaited
        awaited -= 1
        if not awaited:
            done.set()

    async def echo(_: PlainMessage) -> None:
        echoed.set()

    payload = PAYLOAD.encode()
    async with plain_client(url) as client:
        await client.subscribe("plain.got", cb=count)
        await client.subscribe("plain.echo", cb=echo)
        await done.wait()
        for pause in PAUSES:
            if pause:
                await done.wait()
            done.clear()
            echoed.clear()
            awaited += len(FAMILIES)
            await asyncio.sleep(pause)
            sent.append(time.monotonic())
            begun = time.process_time()
            for family in FAMILIES:
                for number in range(EACH):
                    await client.publish(f"plain.{family}.{number}", payload)
            await client.publish("plain.echo", b"")
            await echoed.wait()
            spent.append(time.process_time() - begun)
        await done.wait()


async def plain_follow(url: str, family: str) -> Times:
    last: Times = []
    received = 0
    over = asyncio.Event()

    async def take(_: PlainMessage) -> None:
        nonlocal received
        received += 1
        if received % EACH == 0:
            last.append(time.monotonic())
            await client.publish("plain.got", b"")
            if len(last) == len(PAUSES):
                over.set()

    async with plain_client(url) as client:
        for number in range(EACH):
            await client.subscribe(f"plain.{family}.{number}", cb=take)
        fence = await connect(url)
        await asyncio.sleep(0.5)
        await fence.close()
        await client.publish("plain.got", b"")
        await over.wait()
        await asyncio.sleep(0.1)
    return last


Lead = Callable[[str, Times, Times], Awaitable[None]]


async def measured(url: str, lead: Lead, kind: str) -> tuple[float, float, float]:
    """Medians, in ms: processor time of the sender for one after the other, and for one after a pause,
    and time until the last has that."""
    command = [sys.executable, "-m", "benchmarks.broadcast", kind, url]
    followers: list[Process] = [
        await asyncio.create_subprocess_exec(*command, family, stdout=PIPE) for family in FAMILIES
    ]
    sent: Times = []
    spent: Times = []
    await lead(url, sent, spent)
    answers = [await follower.communicate() for follower in followers]
    lasts: list[Times] = [json.loads(out) for out, _ in answers]
    to_last = [max(last) - s for s, *last in zip(sent, *lasts, strict=True)][:ROUNDS]
    times = (spent[ROUNDS:], spent[:ROUNDS], to_last)
    in_a_row, alone, latency = (statistics.median(each) * 1e3 for each in times)
    return in_a_row, alone, latency


async def figures() -> list[Figure]:
    async with Server() as server:
        ours, alone, last = await measured(server.url, lead, "ours")
        theirs, plain_alone, plain_last = await measured(server.url, plain_lead, "plain")
    name, unit = "broadcast to 1000 in 4 processes", "ms of the processor"
    return [
        Figure(f"{name}, sending", ours, theirs, theirs / ours, 10.0, unit),
        Figure(f"{name}, sending after a pause", alone, plain_alone, plain_alone / alone, 0.0, unit),
        Figure(f"{name}, p50 to the last", last, LIMIT, LIMIT / last, 1.0, "ms, of those allowed"),
        Figure(f"{name}, to the last against single publishes", last, plain_last,
               plain_last / last, 0.0, "ms"),
    ]  # fmt: skip


FOLLOW: dict[str, Callable[[str, str], Awaitable[Any]]] = {"ours": follow, "plain": plain_follow}


async def _followed(kind: str, url: str, family: str) -> Times:
    found: Times = await FOLLOW[kind](url, family)
    return found


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asyncio.run(_followed(*sys.argv[1:]))))
    else:
        main_on_loops(figures)
