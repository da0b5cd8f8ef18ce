"""Sessions that are encrypted, played by workers of the command."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

import pavane
from pavane.actors.workers.dead import letters, revive
from pavane.broker.cipherfile import cipher_from

from .conftest import Crew

MARK = "mark-of-a-payload"


async def test_a61_a_worker_without_the_key_sets_units_aside_and_one_with_it_goes_on(
    crew: Crew, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"2026-11 {secrets.token_hex(32)}  # the first\n")
    crew.start("keyless", "talk")
    talk = crew.load("Talk")
    async with pavane.open(nats_url, codec=cipher_from(keys)) as runtime:
        handle = await runtime.start(
            talk, bindings={"rounds": 1}, input={"rounds": 1, "mishap": MARK}, patience=30
        )
        async with asyncio.timeout(30):
            while len(dead := await letters(runtime.broker, crew.space)) < 2:
                await asyncio.sleep(0.05)
        assert {letter.code for letter in dead} == {"PV551"}
        for stream in await runtime.broker.streams(""):
            if stream.endswith(crew.space) and not stream.startswith("WORK"):
                async for record in runtime.broker.read(stream):
                    assert MARK.encode() not in record.payload, record.subject
        monkeypatch.setenv("PAVANE_CIPHER", str(keys))
        crew.kill("keyless")
        crew.start("keyed", "talk")
        for letter in dead:
            await revive(runtime.broker, letter)
        outcome = await handle.wait(30)
        assert outcome["Asker"] == outcome["Teller"]
    assert MARK not in crew.logs()
    with pytest.raises(pavane.PavaneError, match="cannot be read here"):
        async with pavane.open(
            nats_url, codec=pavane.PayloadCipher({"k": bytes(32)}, "k")
        ) as other:
            again = await other.start(
                talk, session=handle.id, bindings={"rounds": 1}, input={"rounds": 1, "mishap": MARK}
            )
            await again.wait(10)
