"""Roles that fail: restarted, or their session's end, or set aside; and never anybody else's end."""

from __future__ import annotations

import asyncio

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.records import Cancelled, pack
from pavane.actors.workers.dead import letters, revive
from pavane.actors.workers.overview import summaries
from pavane.broker.errors import WrongSequence
from pavane.effects.journal.history.reading import History

from .conftest import Crew

ONE = {"rounds": 1}
TEN = {"rounds": 10}


async def test_a_failure_that_passes_is_followed_by_a_restart(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("only")
    talk = crew.load("Talk")
    given = {**ONE, "mishap": "flickers"}
    handle = await starter.start(talk, bindings=ONE, input=given, patience=30)
    assert len((await handle.wait(20))["Teller"]) == 1
    assert (crew.folder / "flickers").exists()


async def test_a_failure_ends_its_session_with_its_reason_and_no_other(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("only")
    talk = crew.load("Talk")
    given = {"rounds": 10, "pause": 0.05}
    well = await starter.start(talk, bindings={"rounds": 10}, input=given, patience=30)
    handle = await starter.start(talk, bindings=ONE, input={**ONE, "mishap": "raises"})
    with pytest.raises(pavane.PeerFailed, match="out of order") as caught:
        await handle.wait(20)
    assert caught.value.role == "Teller"
    assert len((await well.wait(20))["Asker"]) == 10
    (failed,) = [s for s in await summaries(starter.broker, crew.space) if s.state == "failed"]
    assert failed.session == handle.id
    assert "the teller is out of order [PV512]" in failed.reason


async def test_what_a_worker_cannot_even_begin_is_set_aside_for_one_that_can(
    crew: Crew, starter: pavane.Runtime
) -> None:
    """It was told of a budget that is spent already; the session is none the worse for it."""
    talk = crew.load("Talk")
    crew.start("rich", budget="Asker=1000")
    first = await starter.start(talk, bindings=TEN, input=TEN, patience=30)
    assert len((await first.wait(30))["Asker"]) == 10
    assert await crew.drain("rich") == 0
    crew.start("poor", budget="Asker=10")
    second = await starter.start(talk, bindings=TEN, input=TEN, patience=30)
    async with asyncio.timeout(30):
        while len(dead := await letters(starter.broker, crew.space)) < 2:
            await asyncio.sleep(0.05)
    assert {letter.code for letter in dead} == {"PV322"}
    assert (await second.status()).state == "running"
    assert await crew.drain("poor") == 0
    for letter in dead:
        await revive(starter.broker, letter)
    crew.start("next", budget="Asker=1000")
    assert len((await second.wait(30))["Asker"]) == 10


async def test_what_kills_its_workers_is_set_aside_until_it_is_retried(
    crew: Crew, starter: pavane.Runtime
) -> None:
    crew.start("asker", "talk.Asker")
    for name in ("t1", "t2"):
        crew.start(name, "talk.Teller", lease=1.0, attempts=2)
    talk = crew.load("Talk")
    handle = await starter.start(talk, bindings=ONE, input={**ONE, "mishap": "dies"}, patience=30)
    for name in ("t1", "t2"):
        await asyncio.to_thread(crew.processes[name].wait, 90)
    crew.start("t3", "talk.Teller", lease=1.0, attempts=2)
    async with asyncio.timeout(30):
        while not (dead := await letters(starter.broker, crew.space)):
            await asyncio.sleep(0.05)
    assert dead[0].assignment.name == "Teller"
    assert "taken 2 times" in dead[0].reason
    (seen,) = await summaries(starter.broker, crew.space)
    assert (seen.state, seen.dead[0].attempts) == ("dead", 2)
    assert crew.processes["t3"].poll() is None, "it did not take what kills"
    await revive(starter.broker, dead[0])
    assert await letters(starter.broker, crew.space) == []
    await asyncio.to_thread(crew.processes["t3"].wait, 30)
    assert (await handle.status()).state == "running"
    await handle.cancel("enough")
    with pytest.raises(pavane.SessionAborted):
        await handle.wait(10)


async def test_an_end_that_was_heard_and_not_stored_ends_nothing(
    crew: Crew, starter: pavane.Runtime
) -> None:
    """Whoever listens hears what is published, also where the stream refuses it: it is full, or
    who says so is fenced."""
    crew.start("only")
    given = {**TEN, "pause": 0.2}
    handle = await starter.start(crew.load("Talk"), bindings=TEN, input=given, patience=30)
    await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
    place, word = handle.place, pack(Cancelled("never stored"))
    with pytest.raises(WrongSequence):
        await starter.broker.append(
            place.stream, place.operator, word, message_id="x", expected=10**6
        )
    assert len((await handle.wait(30))["Asker"]) == 10
    assert (await audit(starter.broker, place, History(starter.broker))).faults == []
