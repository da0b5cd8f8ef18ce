"""The permissions that Pavane prints, on servers that enforce them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pavane
from pavane.actors.standin import StandIn
from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.embedded import Server
from pavane.broker.errors import Forbidden, ServerUnreachable, WrongInbox
from pavane.broker.options import ConnectOptions
from pavane.effects.capability.tokens import Authority
from pavane.effects.keys import Signer

GUIDE = Path(__file__).parents[1] / "data" / "guide" / "016.choreo"
COMMAND = Path(sys.executable).parent / "pavane"
SPACE = "hierarchical_consensus"
HERE = f"{SPACE}.HierarchicalConsensus"

Options = Mapping[str, ConnectOptions]


async def play(url: str, options: Options, choreography: pavane.Choreography) -> None:
    """One session with a connection of its own for each role."""
    authority, signer = Authority(), Signer()
    async with AsyncExitStack() as stack:
        joined: list[Awaitable[pavane.Outcome]] = []
        for role in choreography.roles:
            mine = options[f"{choreography.namespace}.{choreography.name}.{role}"]
            runtime = await stack.enter_async_context(
                pavane.open(url, options=mine, authority=authority, signer=signer)
            )
            joined.append(runtime.join(choreography, {role: StandIn()}, session="s"))
        async with asyncio.timeout(20):
            await asyncio.gather(*joined)


def forbidden(me: str, other: str) -> tuple[list[str], list[str]]:
    """What `me` may not say, and may not hear; the names of a journal's readers are `c`."""
    says = [
        f"{HERE}.{me}.0.s.{other}.0",  # speak as another, to itself
        f"{HERE}.Worker4.0.s.{other}.0",  # ... and to a third
        f"{SPACE}.Other.{other}.0.s.{me}.0",
        f"journal.{HERE}.s.{other}.0",
        f"journal_heads.{HERE}.s.{other}.0",
        f"_COUNTERS.flow.{HERE}.{other}",
        f"_COUNTERS.leak.{HERE}.outside",
        f"_INBOX.{HERE}.{other}.abc.1",
        f"$JS.API.CONSUMER.CREATE.JOURNAL.c.journal.{HERE}.s.{other}.0",
        f"$JS.API.CONSUMER.CREATE.JOURNAL.c.journal.{HERE}.s.>",
        "$JS.API.CONSUMER.CREATE.JOURNAL.c",
        "$JS.API.CONSUMER.CREATE.JOURNAL",
        "$JS.API.CONSUMER.DURABLE.CREATE.JOURNAL.c",
        f"$JS.API.CONSUMER.CREATE.PAVANE_COUNTERS.c._COUNTERS.flow.{HERE}.{other}",
        "$JS.ACK.JOURNAL.c.1.1.1.1.0",
        f"$JS.API.DIRECT.GET.JOURNAL.journal.{HERE}.s.{me}.0",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.CREATE.MINE",
    ]
    streams = "DELETE PURGE UPDATE CREATE INFO SNAPSHOT RESTORE MSG.GET MSG.DELETE PEER.REMOVE"
    for stream in ("JOURNAL", "JOURNAL_HEADS", "PAVANE_COUNTERS"):
        says += [f"$JS.API.STREAM.{verb}.{stream}" for verb in streams.split()]
        says += [
            f"$JS.API.CONSUMER.{verb}.{stream}.c"
            for verb in ("DELETE", "LIST", "NAMES", "INFO", "PAUSE")
        ]
    listens = [f"{HERE}.{other}.0.*.*.*", f"{HERE}.>", ">", "journal.>", "_INBOX.>", "$JS.>"]
    return says, [*listens, f"_INBOX.{HERE}.{other}.*.*"]


@pytest.mark.parametrize("kind", ["password", pytest.param("conf", marks=pytest.mark.long), "jwt"])
async def test_a52_a_session_runs_under_the_printed_permissions_and_nobody_gets_further(
    kind: str, site: Any
) -> None:
    async with site.serving(kind, GUIDE) as (url, options, credentials):
        choreography = pavane.load(GUIDE)
        await play(url, options, choreography)
        await _is_recorded(url, options)
        for role in choreography.roles:
            says, listens = forbidden(role, "Worker2" if role == "Worker1" else "Worker1")
            async with site.hostile(url, credentials(f"{HERE}.{role}")) as hostile:
                assert await hostile.attempt(says, listens) == set()
                assert hostile.heard == []
        with pytest.raises(ServerUnreachable):
            await connect(url)


async def _is_recorded(url: str, options: Options) -> None:
    """The journal reader reads the session back, and may write nothing."""
    mine = options["pavane-reader"]
    known = {
        "PAVANE_NATS_USER": mine.user,
        "PAVANE_NATS_PASSWORD": mine.password,
        "PAVANE_NATS_CREDS": mine.credentials,
        "PAVANE_NATS_NKEY": mine.nkey,
        "PAVANE_NATS_INBOX": mine.inbox,
    }
    for verb, expected in (("query", "sub_results_aggregated"), ("verify", "")):
        done = await asyncio.to_thread(
            subprocess.run,
            [str(COMMAND), "journal", verb, "--url", url, "--namespace", SPACE,
             "--protocol", "HierarchicalConsensus"],
            env={**os.environ, **{name: value for name, value in known.items() if value}},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout
    reader = await connect(url, options=mine)
    with pytest.raises(Forbidden):
        await reader.append("JOURNAL", f"journal.{HERE}.s.Worker1.0", b"x")
    with pytest.raises(Forbidden):
        await reader.subscribe(f"{HERE}.>", lambda _s, _d: None)
    await reader.close()


FAMILY = """#[namespace = "shop"]
protocol Rounds { roles: Leader, W[N];
  Leader[flow_cost = 5, leak = "outside: 2"] -> W[*]: Ask(int);
  W[i][journal_facts = "answered", journal_merge = true] -> Leader: Part(int);
  Leader -> W[*]: Done; }
"""


async def test_a52_families_leakage_and_merges_run_and_the_runtime_plays_all(
    site: Any, tmp_path: Path
) -> None:
    file = tmp_path / "rounds.choreo"
    file.write_text(FAMILY)
    async with site.serving("password", file) as (url, options, _):
        rounds = pavane.load(file).bind(N=3)
        await play(url, options, rounds)
        async with pavane.open(url, options=options["pavane-runtime"]) as runtime:
            outcome = await runtime.run(rounds, Leader=StandIn(), W=StandIn())
            assert outcome.tallies["W[2]"].facts == ["answered"]


async def test_a52_an_answer_of_the_server_is_never_taken_for_a_message(site: Any) -> None:
    """Who asks the server may have its answer sent to any subject: NATS does not check that one."""
    async with site.serving("password", GUIDE) as (url, options, credentials):
        choreography = pavane.load(GUIDE)
        forged = f"{HERE}.SubCoordinator1.0.s.Worker1.0"
        async with site.hostile(url, credentials(f"{HERE}.Worker4")) as hostile:
            playing = asyncio.create_task(play(url, options, choreography))
            said = 0
            while not playing.done():
                await hostile.client.publish("$JS.API.INFO", b"", reply=forged)
                await hostile.client.publish(
                    "$JS.API.CONSUMER.MSG.NEXT.JOURNAL.none", b"1", reply=forged
                )
                said += 1
                await asyncio.sleep(0.001)
            await playing
            assert said > 10


async def test_a52_a_connection_without_its_inbox_is_told_at_once(site: Any) -> None:
    async with site.serving("password", GUIDE) as (url, options, _):
        mine = replace(options["pavane-runtime"], inbox="_INBOX")
        async with asyncio.timeout(5):
            with pytest.raises(WrongInbox) as caught:
                await connect(url, options=mine)
    assert "PAVANE_NATS_INBOX" in caught.value.hint


async def test_a52_a_missing_preparation_is_said(nats_url: str) -> None:
    inbox = ConnectOptions(inbox="_INBOX.unprepared")
    broker: Broker = await connect(nats_url, options=inbox)
    with pytest.raises(pavane.BrokerError, match="no such stream") as caught:
        await broker.last("NO_SUCH_STREAM", "journal.a.b.c.d.0")
    assert "--prepare" in caught.value.hint
    async with asyncio.timeout(5):
        with pytest.raises(pavane.BrokerError, match="no such stream"):
            await broker.append("NO_SUCH_STREAM", "unprepared.x", b"")
    await broker.close()


@pytest.mark.long
async def test_a52_tokens_end_when_they_are_said_to(site: Any, tmp_path: Path) -> None:
    keys, place = tmp_path / "keys", tmp_path / "users.conf"
    place.write_text(site.printed(GUIDE, "--format", "jwt", "--keys", keys, "--expires", "5s"))
    inbox = site.users(GUIDE)["pavane-reader"]
    options = ConnectOptions(credentials=str(keys / "pavane-reader.creds"), inbox=inbox)
    async with Server(arguments=("-c", str(place))) as server:
        broker = await connect(server.url, options=options)
        await broker.close()
        await asyncio.sleep(5.5)
        with pytest.raises(ServerUnreachable):
            await connect(server.url, options=options)
