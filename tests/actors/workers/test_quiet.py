"""What a worker logs, and what stands in dead letters: no payload, and nothing that users' code says."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.durable.errors import Departure
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.durable.names import Place
from pavane.actors.workers.dead import letters

MARK = "s3cret-mark"
TEXT = """
#[namespace = "%s"]
protocol Quiet { roles: A, B; A -> B: Ask(text: str); B -> A: Tell(text: str) }
"""


async def worked(url: str, quiet: pavane.Choreography, handle: SessionHandle | None = None) -> None:
    """Two workers' lives, or that of one until the session has something to show."""
    async with pavane.open(url) as runtime:
        worker = pavane.Worker(runtime, lease=1.0)
        worker.serve(quiet)
        working = asyncio.create_task(worker.run())
        try:
            handle = handle or await runtime.start(quiet, session="s", patience=10)
            with pytest.raises((pavane.PeerFailed, TimeoutError), match=f"{MARK}|^$"):
                await handle.wait(1.5)
        finally:
            worker.drain(0)
            await working


def said(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{r.getMessage()} {r.exc_text} {r.__dict__}" for r in caplog.records)


async def test_a61_what_a_role_raises_is_not_logged_but_where_it_did(
    broker_url: str, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    quiet = pavane.load(TEXT % unique)

    @quiet.role("A")
    async def a(me: Endpoint) -> None:
        await me.send("Ask", MARK)
        await me.receive("Tell")

    @quiet.role("B")
    async def b(me: Endpoint) -> None:
        raise ValueError(await me.receive("Ask"))

    await worked(broker_url, quiet)
    logged = said(caplog)
    assert MARK not in logged
    line = b.__code__.co_firstlineno + 2
    assert f"B raised ValueError [PV512] at {Path(__file__)}:{line}" in logged


async def test_a61_a_departure_tells_two_payloads_apart_and_shows_neither(
    broker_url: str, runtime: pavane.Runtime, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    quiet = pavane.load(TEXT % unique)
    told: list[str] = []

    @quiet.role("A")
    async def a(me: Endpoint) -> None:
        told.append(MARK + str(len(told)))
        await me.send("Ask", told[-1])
        await me.receive("Tell")

    @quiet.role("B")
    async def b(me: Endpoint) -> None:
        await me.receive("Ask")
        await asyncio.sleep(60)

    await worked(broker_url, quiet)
    handle = SessionHandle(runtime.broker, Place(unique, "Quiet", "s"))
    await worked(broker_url, quiet, handle)
    assert len(told) > 1
    (letter,) = await letters(runtime.broker, unique)
    assert letter.code == Departure.code
    (replayed,) = [r async for r in runtime.replay(quiet, "s", "A")]
    for text in (letter.reason, said(caplog)):
        assert MARK not in text
        assert "the log has Ask of 19 bytes (" in text
    assert replayed.departure is not None and replayed.departure.payloads is not None
    assert MARK.encode() in replayed.departure.payloads[0]
