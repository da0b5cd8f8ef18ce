"""`pavane start --wait`: what keeps a session from going on is told; the command goes on waiting."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pavane.actors.durable.assignment import Assignment
from pavane.actors.workers.dead import bury
from pavane.broker.connect import connect

from .conftest import COMMAND, Operator, environment

LONG = '{"price": 4, "pause": 60}'


@contextmanager
def waiting(
    module: Path, url: str, session: str, *options: str
) -> Generator[subprocess.Popen[str]]:
    start = ["start", "shop:shop", "--input", LONG, "--session", session, "--wait"]
    with subprocess.Popen(
        [str(COMMAND), *start, "--url", url, *options], cwd=module.parent,
        env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert "started" in process.stdout.readline()
        yield process
        process.kill()


def die(url: str, space: str, session: str) -> None:
    async def dying() -> None:
        broker = await connect(url)
        unit = Assignment(
            namespace=space, protocol="Shop", fingerprint=b"", session=session, role="Seller"
        )
        await bury(
            broker, unit, topic="", code="PV561", reason="it departed", attempts=1, worker="w1"
        )
        await broker.close()

    asyncio.run(dying())


def test_a_unit_that_nobody_could_play_is_told_and_waited_for(
    operator: Operator, worker: subprocess.Popen[str], module: Path, unique: str, nats_url: str
) -> None:
    assert worker.poll() is None
    with waiting(module, nats_url, "d1") as process:
        assert process.stderr is not None
        die(nats_url, unique, "d1")
        assert process.stderr.readline() == "Seller is set aside as dead [PV561]: it departed\n"
        assert "`pavane retry d1`; waiting for it" in process.stderr.readline()
        with waiting(module, nats_url, "d1") as late:
            assert late.stderr is not None
            assert "set aside as dead [PV561]" in late.stderr.readline()
        assert operator("retry", "d1", "--namespace", unique).returncode == 0
        assert process.stderr.readline() == "Seller is on the queue again\n"
        assert process.poll() is None
        assert operator("cancel", "d1", "--protocol", f"{unique}.Shop").returncode == 0
        assert "cancelled" in process.stderr.read()
        assert process.wait(20) == 3


def test_it_is_an_event_for_programs(
    worker: subprocess.Popen[str], module: Path, unique: str, nats_url: str
) -> None:
    assert worker.poll() is None
    with waiting(module, nats_url, "d2", "--json") as process:
        assert process.stdout is not None
        die(nats_url, unique, "d2")
        event = {"event": "dead", "unit": "Seller", "code": "PV561", "reason": "it departed"}
        assert json.loads(process.stdout.readline()) == event
