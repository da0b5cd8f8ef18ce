"""Workers that Pavane keeps itself: more, fewer, anew when they die, none."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

import pavane
from pavane.actors.workers.errors import WorkerDied
from pavane.actors.workers.host import Host, telling
from pavane.actors.workers.restart import Restart
from pavane.effects.resilience.retry import Retry

from .conftest import HERE, Crew

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
CRASHER = [sys.executable, "-c", "raise SystemExit(7)"]


def scaled(crew: Crew, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pavane", "scale", f"{HERE / 'served.py'}:crowd"]
    return subprocess.run(
        [*command, *map(str, arguments), "--url", crew.url],
        cwd=crew.folder,
        env=os.environ | {"SERVED": str(crew.file), "XDG_STATE_HOME": str(crew.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_a_role_is_scaled_out_and_in(crew: Crew, starter: pavane.Runtime) -> None:
    out = await asyncio.to_thread(scaled, crew, "Members", 1)
    try:
        assert out.returncode == 0, out.stdout + out.stderr
        assert "1 worker of Members, kept by process" in out.stdout
        (only,) = await crew.until(starter, lambda p: len(p) == 1)
        assert [service.role for service in only.services] == ["Members"]
    finally:
        back = await asyncio.to_thread(scaled, crew, "Members", 0)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "0 workers of Members" in back.stdout


@pytest.mark.long
async def test_what_dies_in_a_scaled_role_comes_back(crew: Crew, starter: pavane.Runtime) -> None:
    crew.start("lead", "crowd.Leader")
    out = await asyncio.to_thread(scaled, crew, "Members", 2)
    try:
        assert out.returncode == 0, out.stdout + out.stderr
        assert "2 workers of Members, kept by process" in out.stdout
        found = await crew.until(starter, lambda p: len(p) == 3)
        handle = await starter.start(crew.load("Crowd"), bindings={"Members": 8})
        assert (await handle.wait(20))["Leader"] == 24
        first = next(worker for worker in found if worker.name != "lead")
        os.kill(first.pid, signal.SIGKILL)
        await crew.until(
            starter,
            lambda p: len(p) == 3 and first.pid not in [w.pid for w in p],
        )
    finally:
        back = await asyncio.to_thread(scaled, crew, "Members", 0)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "0 workers of Members" in back.stdout
    await crew.until(starter, lambda p: [w.name for w in p] == ["lead"])
    async with telling(starter.broker, (crew.space, "Crowd", "Members")) as told:
        assert await told.ask() is None, "the host has ended"


async def test_a_role_that_is_not_there_cannot_be_scaled(crew: Crew) -> None:
    done = await asyncio.to_thread(scaled, crew, "Nobody", 1)
    assert done.returncode == 2
    assert "has no role Nobody" in done.stderr


async def test_a_host_starts_again_what_dies_but_not_for_ever(
    starter: pavane.Runtime, unique: str
) -> None:
    restart = Restart("permanent", intensity=2, period=60, pause=Retry(base=0.01))
    host = Host(starter.broker, (unique, "P", "R"), CRASHER, 1, restart)
    with pytest.raises(WorkerDied):
        await asyncio.wait_for(host.run(), 20)


async def test_a_host_that_is_cancelled_leaves_nothing(
    starter: pavane.Runtime, unique: str
) -> None:
    role = (unique, "P", "R")
    host = Host(starter.broker, role, SLEEPER, 2)
    keeping = asyncio.create_task(host.run())
    async with telling(starter.broker, role) as told:
        said = await told.settled(2, 10)
        assert said is not None
        assert (said.running, said.wanted, said.pid) == (2, 2, os.getpid())
        await told.ask(1)
        assert (await told.settled(1, 10)) is not None
        keeping.cancel()
        began = time.perf_counter()
        await asyncio.gather(keeping, return_exceptions=True)
        assert time.perf_counter() - began < 5
        await told.settled(0, 5)
        assert await told.ask() is None
