"""Workers that are told to stop: nothing new, what runs ends or goes to others, exit code 0."""

from __future__ import annotations

import asyncio
import signal

import pavane
from pavane.actors.durable.audit import audit
from pavane.effects.journal.history.reading import History

from .conftest import Crew


async def test_a54_sigterm_ends_what_is_short_and_hands_over_what_is_long(
    crew: Crew, starter: pavane.Runtime
) -> None:
    talk = crew.load("Talk")
    crew.start("first", grace=1.2)
    long = await starter.start(
        talk, bindings={"rounds": 25}, input={"rounds": 25, "pause": 0.1}, patience=30
    )
    short = await starter.start(
        talk, bindings={"rounds": 5}, input={"rounds": 5, "pause": 0.04}, patience=30
    )
    await crew.until(starter, lambda found: sum(w.running for w in found) == 4)
    draining = asyncio.create_task(crew.drain("first"))
    await crew.until(starter, lambda found: all(w.leaving for w in found))
    crew.start("second")
    late = asyncio.create_task(
        starter.start(talk, bindings={"rounds": 2}, input={"rounds": 2}, patience=30)
    )
    assert await draining == 0
    assert "drained: 2 units ended here, 2 handed over" in (crew.folder / "first.log").read_text()
    for handle, rounds in ((short, 5), (long, 25), (await late, 2)):
        assert len((await handle.wait(30))["Asker"]) == rounds
        found = await audit(starter.broker, handle.place, History(starter.broker))
        assert found.faults == []
        assert found.charged == 8 * rounds
        if handle is long:
            assert found.takeovers == 2
        else:
            assert found.takeovers == 0


async def test_a54_a_second_signal_does_not_wait(crew: Crew, starter: pavane.Runtime) -> None:
    talk = crew.load("Talk")
    crew.start("first", grace=60)
    given = {"rounds": 30, "pause": 0.05}
    handle = await starter.start(talk, bindings={"rounds": 30}, input=given, patience=30)
    await crew.until(starter, lambda found: sum(w.running for w in found) == 2)
    process = crew.processes["first"]
    process.send_signal(signal.SIGTERM)
    await crew.until(starter, lambda found: all(w.leaving for w in found))
    assert await crew.drain("first") == 0
    crew.start("second")
    assert len((await handle.wait(30))["Asker"]) == 30
