"""How streams are kept, as the server says it keeps them."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path

import nats
import pytest

from pavane.broker.connect import connect
from pavane.broker.embedded import Server, cluster, free_ports
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


async def test_a_stream_forgets_what_is_oldest_where_it_is_told_to(nats_url: str) -> None:
    stream = named("SESSIONS")
    keeping = Keeping(size=4096, forgets=True)
    broker = await connect(nats_url, options=ConnectOptions(keeping={"SESSIONS": keeping}))
    await broker.ensure_stream(stream, [f"{stream}.>"])
    for number in range(10):
        await broker.append(stream, f"{stream}.a", b"x" * 1000, message_id=str(number))
    kept = [record.sequence async for record in broker.read(stream)]
    assert kept == list(range(kept[0], 11))
    assert 2 <= len(kept) <= 4
    await broker.close()


async def test_a_stream_has_as_many_replicas_as_it_is_told_to(nats_url: str) -> None:
    stream = named("SESSIONS")
    options = ConnectOptions(keeping={"SESSIONS": Keeping(replicas=3)})
    alone = await connect(nats_url, options=options)
    with pytest.raises(StreamRefused, match="replicas"):
        await alone.ensure_stream(stream, [f"{stream}.>"])
    await alone.close()
    async with cluster(3) as servers, asyncio.timeout(20):
        broker = await connect(servers[0].url, options=options)
        await broker.ensure_stream(stream, [f"{stream}.>"])
        assert (await config(servers[0].url, stream))["num_replicas"] == 3
        await broker.close()


@pytest.mark.parametrize(
    ("sync", "always", "seconds"), [(None, None, 120), (0.0, True, 120), (5.0, None, 5)]
)
async def test_a_server_writes_to_the_disk_as_often_as_it_is_told_to(
    tmp_path: Path, sync: float | None, always: bool | None, seconds: int
) -> None:
    (port,) = free_ports(1)
    async with Server(store=tmp_path, sync=sync, arguments=("-m", str(port))) as server:
        broker = await connect(server.url)
        await broker.ensure_stream("KEPT", ["kept"])
        await broker.append("KEPT", "kept", b"")
        await broker.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /jsz HTTP/1.0\r\n\r\n")
        found = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])["config"]
        writer.close()
    assert (found.get("sync_always"), found["sync_interval"]) == (always, seconds * 10**9)
    assert found["store_dir"].startswith(str(tmp_path))


def test_ids_are_known_for_long_enough() -> None:
    with pytest.raises(BadAddress):
        Keeping(window=1.0)
