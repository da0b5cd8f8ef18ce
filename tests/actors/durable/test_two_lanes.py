"""A role that speaks to one instance and to all of a family is heard in order, whatever is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.names import Place
from pavane.actors.mailbox.switchboard import Switchboard
from pavane.broker.contract import Broker, Fence
from pavane.broker.memory import hubs
from pavane.broker.memory.connection import MemoryBroker

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


class Hesitant(MemoryBroker):
    """Now and then a record gets no answer, and is stored when others that came later are: what a
    record is that a cluster's leader took with it, and that is handed over again."""

    def __init__(self, name: str, seed: int) -> None:
        living = hubs.join(name)
        super().__init__(living._hub, living._on_close)  # pyright: ignore[reportPrivateUsage]
        self._rng = random.Random(seed)
        self.late = 0

    def submit(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        fence: Fence | None = None,
    ) -> asyncio.Future[int]:
        again = partial(
            super().submit, stream, subject, payload, message_id=message_id, fence=fence
        )
        if self._rng.random() < 0.8:
            return again()
        self.late += 1
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def stored() -> None:
            result = again()
            error = result.exception()
            if error is None:
                answer.set_result(result.result())
            else:
                answer.set_exception(error)

        asyncio.get_running_loop().call_later(0.01, stored)
        return answer


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_said_on_two_lanes_is_stored_in_the_order_it_was_said(
    unique: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    hesitant = Hesitant(unique, seed)

    async def connect(*_: object, **__: object) -> Broker:
        return hesitant

    monkeypatch.setattr("pavane.actors.opening.connect", connect)
    async with pavane.open(f"memory://{unique}") as runtime, asyncio.timeout(20):
        outcome = await runtime.run(MIXED, A=speaker, W=hearer, durable=True, session=unique)
        found = await audit(runtime.broker, Place("", "Mixed", unique))
    for index, label in enumerate(("One", "Two")):
        order = (label, "All") if label == "One" else ("All", label)
        said = [[name, number] for number in range(ROUNDS) for name in order]
        assert outcome["W"][index] == said
    assert (found.faults, found.is_over) == ([], True)
    assert hesitant.late > 3
