"""Sagas whose process is killed with -9, on a real nats-server, and what is left of them."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.effects.resilience.compensation import Compensations
from pavane.effects.resilience.outcome import SagaOutcome
from pavane.effects.resilience.progress import Progress
from pavane.effects.resilience.saga_log import STREAM, subject_of

SCRIPT = Path(__file__).with_name("mortal.py")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mortal", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mortal = script()
NAMES: tuple[str, ...] = mortal.NAMES
UNDOABLE = tuple(name for name in NAMES if name != mortal.KEPT)


async def process(url: str, namespace: str, id: str, failing: str, point: int) -> int:
    """Run the script; its exit code, which is -9 where it met its point."""
    arguments = (url, namespace, id, failing, str(point))
    child = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode in (0, -signal.SIGKILL), errors.decode()
    return child.returncode


@pytest.fixture
async def real(nats_url: str) -> AsyncIterator[Broker]:
    broker = await connect(nats_url)
    await broker.ensure_stream(mortal.STREAM, ["bookings.*"])
    yield broker
    await broker.close()


async def audit(broker: Broker, namespace: str, id: str, failing: str) -> SagaOutcome | None:
    """Compare the log with what really happened, which nobody has told the log."""
    progress = Progress("trip", id)
    async for record in broker.read(STREAM, subject_of(namespace, "trip", id)):
        progress.read(record)  # raises for a record that cannot stand there
    booked: list[str] = await mortal.bookings(broker, id)
    if not progress.count:
        assert booked == []
        return None
    assert progress.phase == "ended"
    outcome = progress.outcome
    done = [b[1:] for b in booked if b[0] == "+"]
    undone = [b[1:] for b in booked if b[0] == "-"]
    assert booked == [f"+{n}" for n in done] + [f"-{n}" for n in undone]
    assert done == list(NAMES[: len(done)])
    if outcome.status == "committed":
        assert (done, undone, failing) == (list(NAMES), [], "-")
        assert outcome.results == {n: f"{n} for Ada" for n in NAMES}
    else:
        assert outcome.status == "compensated"
        assert undone == [n for n in reversed(done) if n in UNDOABLE]
        assert [n for n in outcome.undone if n in done] == undone
        assert set(done) - set(UNDOABLE) <= set(outcome.kept)
    return outcome


async def crash_and_recover(
    broker: Broker, url: str, name: str, failing: str, point: int, again: tuple[int, ...] = ()
) -> bool:
    """Whether it was killed. `again` are the points at which the recovery is killed in turn."""
    killed = await process(url, name, name, failing, point) != 0
    for next_point in again:
        await process(url, name, name, "recover", next_point)
    compensations = Compensations(broker, name)
    recovered = await compensations.recover(mortal.trip(broker), idle=0.0)
    outcome = await audit(broker, name, name, failing)
    if recovered:
        assert recovered == (outcome,)
    before = await mortal.bookings(broker, name)
    assert await compensations.recover(mortal.trip(broker), idle=0.0) == ()
    assert await mortal.bookings(broker, name) == before
    return killed


# 4 steps of 3 appends (doing, the booking, done), begun and ended: 14 appends, 28 points. When
# the last step fails, its booking and `done` give way to `failed` and three times 3 to undo: 22.
POINTS = {"-": 28, "visa": 44}


async def several(
    broker: Broker, url: str, unique: str, cases: list[tuple[str, int, tuple[int, ...]]]
) -> list[bool]:
    """All of them, two processes at a time."""
    two = asyncio.Semaphore(2)

    async def one(number: int, failing: str, point: int, again: tuple[int, ...]) -> bool:
        async with two:
            name = f"{unique}-{number}"
            return await crash_and_recover(broker, url, name, failing, point, again)

    return await asyncio.gather(*(one(n, *case) for n, case in enumerate(cases)))


async def test_a40_a_crash_in_between_is_finished_after_restart_once(
    real: Broker, nats_url: str, unique: str
) -> None:
    cases: list[tuple[str, int, tuple[int, ...]]] = [
        *(("-", point, ()) for point in (3, 5, 14, 27)),
        *(("visa", point, ()) for point in (22, 29)),
        ("visa", 24, (4, 6)),
    ]
    assert all(await several(real, nats_url, unique, cases))


async def test_a40_nothing_is_left_where_nothing_was_killed(
    real: Broker, nats_url: str, unique: str
) -> None:
    cases: list[tuple[str, int, tuple[int, ...]]] = [(f, n, ()) for f, n in POINTS.items()]
    assert await several(real, nats_url, unique, cases) == [False, False]


@pytest.mark.long
async def test_a40_killed_at_every_point(real: Broker, nats_url: str, unique: str) -> None:
    cases: list[tuple[str, int, tuple[int, ...]]] = [
        (failing, point, ()) for failing, count in POINTS.items() for point in range(count)
    ]
    assert all(await several(real, nats_url, unique, cases))


@pytest.mark.long
async def test_a40_killed_again_and_again_while_recovering(
    real: Broker, nats_url: str, unique: str
) -> None:
    chance = random.Random(40)
    cases: list[tuple[str, int, tuple[int, ...]]] = []
    for _ in range(60):
        failing = chance.choice(("-", "visa"))
        again = tuple(chance.randrange(14) for _ in range(chance.randrange(4)))
        cases.append((failing, chance.randrange(POINTS[failing]), again))
    assert all(await several(real, nats_url, unique, cases))
