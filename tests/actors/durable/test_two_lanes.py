"""A role that speaks to one instance and to all of a family is heard in order, whatever is lost."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

import pavane
from pavane.actors.switchboard import Switchboard

ROUNDS = 20
MIXED = pavane.load("""
protocol Mixed {
    roles: A, W[2];
    loop (count: 20) { A -> W[0]: One(int); A -> W[*]: All(int); A -> W[1]: Two(int); }
    W[*] -> A: Done;
}
""")


async def speaker(me: pavane.Endpoint) -> None:
    for number in range(ROUNDS):
        await me.send("One", number)
        await me.send("All", number)
        await me.send("Two", number)
    await me.receive("Done")


async def hearer(me: pavane.Endpoint) -> list[tuple[str, int]]:
    """Hears what comes first: the wrong lane first is a violation."""
    heard: list[tuple[str, int]] = []
    for _ in range(2 * ROUNDS):
        got = await me.offer()
        heard.append((got.label, got.payload))
    await me.send("Done")
    return heard


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_said_on_two_lanes_comes_in_the_order_it_was_said(
    broker_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    lost = 0
    listen = cast("Callable[..., Awaitable[object]]", Switchboard.listen)

    async def lossy(self: Switchboard, *args: Any, **kwargs: Any) -> object:
        """Every third of what is said to the family's members is lost on its way."""
        *where, hear, gone = args

        def deliver(subject: str, data: bytes) -> None:
            nonlocal lost
            if ".A.0.log" in subject and rng.random() < 0.34:
                lost += 1
            else:
                hear(subject, data)

        return await listen(self, *where, deliver, gone, **kwargs)

    monkeypatch.setattr(Switchboard, "listen", lossy)
    async with pavane.open(broker_url) as runtime:
        outcome = await runtime.run(MIXED, A=speaker, W=hearer, durable=True, session=unique)
    for index, label in enumerate(("One", "Two")):
        order = (label, "All") if label == "One" else ("All", label)
        said = [[name, number] for number in range(ROUNDS) for name in order]
        assert outcome["W"][index] == said
    assert lost
