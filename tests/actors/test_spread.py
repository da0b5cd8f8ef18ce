"""The short way of a message to whole families: what goes out is what the long way sends."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.events import Event
from pavane.actors.mailbox.inlet import WINDOW
from pavane.broker.connect import connect
from pavane.broker.frame import Message, decode

PROTOCOLS = {
    "a broadcast in a loop": "roles: A, B, W[3], X[2]; loop (count: 3) { A ->* : M(int); }",
    "the first of branches": """roles: A, B, W[3];
        loop (count: 4) { choice A { go { A ->* : Go(int); } stop { A ->* : Stop; A -> W[*]: N; } } }""",
    "a branch that some are told of": """roles: A, B, W[12];
        choice A { go { A -> W[0..10]: Go; A -> B: Go; } stop { A -> W[0..10]: Stop; A ->* : End; } }""",
    "ranges, wide and narrow": """roles: A, W[20];
        loop (count: 2) { A -> W[5..18]: Some(int); A -> W[2..4]: Few(str); A -> W[*]: All; }""",
    "to oneself": "roles: W[4]; loop (count: 2) { W[*] -> W[*]: Rumour(int); }",
    "from one of a family": "roles: A, W[3], X[2]; loop (count: 2) { W[1] ->* : M(int); }",
    "in parallel": "roles: A, W[3], X[2]; parallel { A -> W[*]: M(int) | A -> X[*]: N(int) }",
    "one after the other": "roles: A, B, C; A ->* : M; A ->* : M; A ->* : N(a: int, b: str);",
}


async def player(me: Endpoint) -> None:
    """Says what comes next, to all that it is for, with payloads as chance has them."""
    rng = random.Random(me.name)
    monitor, moves = me.seat.monitor, me.seat.part.moves
    while not me.is_over:
        options = {step.label: moves[step.number].shape for step in monitor.sends()}
        if not options:
            await me.offer()
            continue
        label = rng.choice(sorted(options))
        payload = options[label].sample(rng)
        if payload is None:
            await me.send(label)
        else:
            await me.send(label, *payload.values() if type(payload) is dict else [payload])


async def spoken(body: str, name: str, *, watched: bool) -> dict[str, list[Message]]:
    """The messages of a session by subject. One that is watched takes no short way."""
    heard: dict[str, list[Message]] = {}
    url = f"memory://{name}{watched}"

    def hear(subject: str, data: bytes) -> None:
        if messages := decode(data).messages:
            heard.setdefault(subject, []).extend(messages)

    outsider = await connect(url)
    await outsider.subscribe(">", hear)
    async with pavane.open(url) as runtime:
        events: list[Event] = []
        if watched:
            runtime.observe(events.append)
        protocol = pavane.load(f"protocol P {{ {body} }}")
        playing: dict[str, Any] = dict.fromkeys(protocol.roles, player)
        await runtime.run(protocol, session="s", **playing)
    await outsider.close()
    return heard


@pytest.mark.parametrize("what", PROTOCOLS)
async def test_the_short_way_sends_the_same_messages(what: str, unique: str) -> None:
    short = await spoken(PROTOCOLS[what], unique, watched=False)
    assert short
    assert short == await spoken(PROTOCOLS[what], unique, watched=True)


MANY = 2 * WINDOW
FAN = f"protocol Fan {{ roles: A, W[3], X[3]; loop (count: {MANY}) {{ A ->* : Tick(str); }} }}"


async def test_a_payload_that_does_not_fit_reaches_nobody(runtime: pavane.Runtime) -> None:
    text = FAN.replace(str(MANY), "2")

    async def a(me: Endpoint) -> None:
        await me.send("Tick", "first")
        for wrong in (7, "x" * (runtime.broker.max_payload + 1)):
            with pytest.raises(pavane.PavaneError):
                await me.send("Tick", wrong)
        assert me.tally.sent == 6
        await me.send("Tick", "second")

    async def hears(me: Endpoint) -> list[str]:
        return [await me.receive("Tick"), await me.receive("Tick")]

    outcome = await runtime.run(pavane.load(text), A=a, W=hears, X=hears)
    assert outcome["W"] == outcome["X"] == {n: ["first", "second"] for n in range(3)}
    assert outcome.tallies["A"].sent == 12


async def test_a_broadcast_waits_for_the_slowest_of_all_families(runtime: pavane.Runtime) -> None:
    """Two tasks of one role broadcast at once, and one listener does not read for long. A third
    task broadcasts at the moment when it does."""
    sent = 0
    slow = asyncio.Event()

    async def a(me: Endpoint) -> None:
        async def some(number: int) -> None:
            nonlocal sent
            for _ in range(MANY // 2 - 2):
                await me.send("Tick", str(number))
                sent += 1

        async def at_the_moment() -> None:
            await slow.wait()
            for _ in range(4):
                while not me.seat.outbox.outlets["X", None].room:
                    await asyncio.sleep(0)
                await me.send("Tick", "3")

        await asyncio.gather(some(1), some(2), at_the_moment())

    async def quick(me: Endpoint) -> list[str]:
        return [await me.receive("Tick") for _ in range(MANY)]

    async def x(me: Endpoint) -> list[str]:
        if me.index == 2:
            await slow.wait()
        return await quick(me)

    async def look() -> None:
        while sent < WINDOW:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert sent == WINDOW
        slow.set()

    looking = asyncio.create_task(look())
    outcome = await runtime.run(pavane.load(FAN), A=a, W=quick, X=x)
    await looking
    everyone = [*outcome["W"].values(), *outcome["X"].values()]
    assert all(heard == everyone[0] for heard in everyone)
    assert everyone[0].count("1") == everyone[0].count("2") == MANY // 2 - 2


async def test_listeners_share_what_none_of_them_can_change(runtime: pavane.Runtime) -> None:
    text = """protocol Shared { roles: A, W[4];
      loop (count: 3) { A -> W[*]: Point(x: int, names: (str, Option<int>)); A -> W[*]: Items(list[int]); } }"""

    async def a(me: Endpoint) -> None:
        for number in range(3):
            await me.send("Point", x=number, names=("here", None))
            await me.send("Items", [number])

    async def w(me: Endpoint) -> list[tuple[Any, list[int]]]:
        heard: list[tuple[Any, list[int]]] = []
        for _ in range(3):
            point = await me.receive("Point")
            items: list[int] = await me.receive("Items")
            items.append(me.index)
            heard.append((point, items))
            await asyncio.sleep(0.001 * me.index)
        return heard

    heard = (await runtime.run(pavane.load(text), A=a, W=w))["W"]
    for index in range(4):
        assert [items for _, items in heard[index]] == [[number, index] for number in range(3)]
        assert [point.x for point, _ in heard[index]] == [0, 1, 2]
    assert all(heard[index][0][0] is heard[0][0][0] for index in range(4))
