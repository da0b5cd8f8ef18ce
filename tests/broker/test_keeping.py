"""How streams are kept, as the server says it keeps them."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
import secrets

import nats
import pytest

from pavane.broker.connect import connect
from pavane.broker.errors import BadAddress, StreamRefused
from pavane.broker.options import ConnectOptions, Keeping


async def config(url: str, stream: str) -> dict[str, object]:
    client = await nats.connect(url)
    answer = await client.request(f"$JS.API.STREAM.INFO.{stream}")
    await client.close()
    found: dict[str, object] = json.loads(answer.data)["config"]
    return found


def named(kind: str) -> str:
    return f"{kind}_t{secrets.token_hex(4)}"


async def test_a_log_of_sessions_forgets_nothing_unless_it_is_told_to(nats_url: str) -> None:
    sessions, other = named("SESSIONS"), named("OTHER")
    broker = await connect(nats_url)
    for stream in (sessions, other):
        await broker.ensure_stream(stream, [f"{stream}.>"])
    await broker.close()
    kept = await config(nats_url, sessions)
    assert (kept["discard"], kept["max_age"], kept["storage"]) == ("new", 0, "file")
    assert kept["duplicate_window"] == 120 * 10**9
    assert (await config(nats_url, other))["discard"] == "old"


async def test_a_stream_is_kept_as_it_is_chosen(nats_url: str) -> None:
    stream = named("SESSIONS")
    keeping = Keeping(age=3600.0, size=4096, window=300.0, memory=True)
    options = ConnectOptions(keeping={"SESSIONS": keeping})
    broker = await connect(nats_url, options=options)
    await broker.ensure_stream(stream, [f"{stream}.>"])
    kept = await config(nats_url, stream)
    assert (kept["max_age"], kept["max_bytes"]) == (3600 * 10**9, 4096)
    assert (kept["storage"], kept["duplicate_window"]) == ("memory", 300 * 10**9)
    with pytest.raises(StreamRefused):
        for number in range(10):
            await broker.append(stream, f"{stream}.a", b"x" * 1000, message_id=str(number))
    with pytest.raises(StreamRefused, match="maximum bytes"):
        await broker.submit(stream, f"{stream}.a", b"x" * 1000, message_id="more")
    first = [record.sequence async for record in broker.read(stream)][:1]
    assert first == [1]
    await broker.close()


def test_ids_are_known_for_long_enough() -> None:
    with pytest.raises(BadAddress):
        Keeping(window=1.0)
