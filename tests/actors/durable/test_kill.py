"""Processes and brokers that are killed and stopped, on a real server."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane.actors.durable.audit import audit
from pavane.actors.durable.names import Place
from pavane.broker.embedded import Server, free_ports
from pavane.effects.keys import Signer

PROGRAM = Path(__file__).with_name("killing.py")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server of its own, which may be killed and started again on its store."""
    (port,) = free_ports(1)
    async with Server(port=port, store=tmp_path / "store") as started:
        yield started


async def hurt(server: Server, how: str, count: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, server.url, how, str(count), "7",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    result: dict[str, Any] = json.loads(out)
    return result


def check(result: dict[str, Any]) -> None:
    """No message, charge or fact is lost or doubled in any of the logs and journals."""
    count = result["sessions"]
    whole: dict[str, Any] = {"faults": [], "over": count, "messages": 367 * count}
    assert {name: result[name] for name in whole} == whole


@pytest.mark.parametrize("count", [12, pytest.param(1000, marks=pytest.mark.long)])
async def test_a49_a_process_killed_at_random_loses_and_doubles_nothing(
    server: Server, count: int
) -> None:
    result = await hurt(server, "kill", count)
    check(result)
    assert result["spent"] == result["sessions"]


@pytest.mark.parametrize("count", [2, pytest.param(200, marks=pytest.mark.long)])
async def test_a57_nothing_is_accepted_of_a_process_that_was_stopped(
    server: Server, count: int
) -> None:
    result = await hurt(server, "stop", count)
    check(result)
    assert result["spent"] == result["sessions"]


TALK = """
protocol Talk {
    roles: A, B;
    loop (count: 40) {
        A[flow_cost = 1, journal_facts = "said"] -> B: Say(int)
        B -> A: Answer(int)
    }
}
"""


async def talker(me: pavane.Endpoint) -> int:
    total = 0
    for number in range(40):
        await me.send("Say", number)
        total += await me.receive("Answer")
        await asyncio.sleep(0.01)
    return total


async def answerer(me: pavane.Endpoint) -> None:
    for _ in range(40):
        said = await me.receive("Say")
        await me.send("Answer", await me.run(lambda: 2 * said))  # noqa: B023


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.long)])
async def test_a50_sessions_outlast_a_broker_that_is_killed_and_started_again(
    server: Server, times: int
) -> None:
    talk = pavane.load(TALK)
    names = [f"s{number}" for number in range(4)]

    async def killing() -> None:
        for _ in range(times):
            await asyncio.sleep(random.uniform(0.05, 0.2))
            await server.kill()
            await server.start()

    async with pavane.open(server.url, signer=Signer()) as runtime, asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            group.create_task(killing())
            playing = [
                group.create_task(
                    runtime.run(talk, A=talker, B=answerer, durable=True, session=name)
                )
                for name in names
            ]
        for outcome in (task.result() for task in playing):
            assert outcome["A"] == sum(2 * number for number in range(40))
            assert outcome.charged == 40
        for name in names:
            found = await audit(runtime.broker, Place("", "Talk", name), runtime.journal)
            assert not found.faults
            assert found.is_over
        level = await runtime.budgets.level("default.Talk", "A")
        assert level is not None
        assert level.spent == 40 * len(names)
