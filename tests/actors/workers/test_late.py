"""Steps that were not done in the protocol's time: the session's end, whatever is played again."""

from __future__ import annotations

import asyncio
import logging

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.workers.restart import Kind

TEXT = '#[namespace = "%s"] protocol Late { roles: A, B; A -> B[timeout = 300ms]: M; B -> A: Y }'


def late(space: str, kind: Kind, noted: list[str]) -> pavane.Choreography:
    """A says what B waits for a moment after B's time is up."""
    chosen = pavane.load(TEXT % space)

    @chosen.role("A")
    async def a(me: Endpoint) -> None:
        await me.sleep(0.45)
        await me.send("M")
        await me.receive("Y")

    @chosen.role("B", restart=pavane.Restart(kind))
    async def b(me: Endpoint) -> None:
        try:
            await me.receive("M")
        except pavane.StepTimedOut:
            noted.append("too late")
            raise
        await me.send("Y")

    return chosen


@pytest.mark.parametrize("kind", ["transient", "permanent", "temporary"])
async def test_a_step_that_is_late_ends_its_session_for_good(
    broker_url: str, unique: str, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pavane.workers")
    noted: list[str] = []
    async with pavane.open(broker_url) as runtime, asyncio.timeout(30):
        worker = pavane.Worker(runtime)
        worker.serve(late(unique, kind, noted))
        working = asyncio.create_task(worker.run())
        handle = await runtime.start(late(unique, kind, []), patience=10)
        with pytest.raises(pavane.SessionFailed, match="B had not done") as failed:
            await handle.wait(10)
        assert failed.value.error_code == pavane.StepTimedOut.code
        assert (await handle.status()).state == "failed"
        worker.drain(0)
        await working
    assert noted == ["too late"]
    assert "played again" not in caplog.text
