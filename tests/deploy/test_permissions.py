"""The permissions that Pavane prints, on servers that enforce them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import nats
import pytest

import pavane
from pavane.actors.standin import StandIn
from pavane.actors.workers.worker import Worker
from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.embedded import Server
from pavane.broker.errors import Forbidden, ServerUnreachable
from pavane.broker.options import ConnectOptions
from pavane.effects.capability import Authority
from pavane.effects.keys import Signer

GUIDE = Path(__file__).parents[1] / "data" / "guide" / "016.choreo"
COMMAND = Path(sys.executable).parent / "pavane"
SPACE = "hierarchical_consensus"
HERE = f"{SPACE}.HierarchicalConsensus"
PASSWORD = "correct-horse"

Options = Mapping[str, ConnectOptions]
library: Any = nats


def printed(*arguments: str | Path) -> str:
    done = subprocess.run(
        [COMMAND, "permissions", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def users(file: Path) -> dict[str, str]:
    """Inboxes by user."""
    found = json.loads(printed(file, "--format", "json"))["users"]
    return {user["user"]: user["inbox"] for user in found}


@asynccontextmanager
async def serving(
    configuration: str, tmp_path: Path, file: Path, environment: Mapping[str, str], operator: Any
) -> AsyncGenerator[Server]:
    """A nats-server on the configuration, prepared with the command as the operator."""
    place = tmp_path / "users.conf"
    place.write_text(configuration)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server = Server(arguments=("-c", str(place)))
        await server.start()
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [str(COMMAND), "permissions", str(file), "--prepare", "--url", server.url],
            env={**os.environ, **operator},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def by_password(
    tmp_path: Path, file: Path = GUIDE
) -> AsyncGenerator[tuple[str, Options, Callable[[str], dict[str, Any]]]]:
    inboxes = users(file)
    text = printed(file)
    variables = {
        line.split("$")[1].strip(): PASSWORD for line in text.splitlines() if "password:" in line
    }
    assert len(variables) == len(inboxes)
    assert PASSWORD not in text
    options = {
        user: ConnectOptions(user=user, password=PASSWORD, inbox=inbox)
        for user, inbox in inboxes.items()
    }
    operator = {
        "PAVANE_NATS_USER": "pavane-operator",
        "PAVANE_NATS_PASSWORD": PASSWORD,
        "PAVANE_NATS_INBOX": inboxes["pavane-operator"],
    }
    async with serving(text, tmp_path, file, variables, operator) as server:
        yield (
            server.url,
            options,
            lambda user: {"user": user, "password": PASSWORD, "inbox_prefix": inboxes[user]},
        )


@asynccontextmanager
async def by_file(
    tmp_path: Path, kind: str
) -> AsyncGenerator[tuple[str, Options, Callable[[str], dict[str, Any]]]]:
    """With `.creds` files (jwt) or nkeys (conf)."""
    inboxes = users(GUIDE)
    keys = tmp_path / "keys"
    expires = ("--expires", "1h") if kind == "jwt" else ()
    text = printed(GUIDE, "--format", kind, "--keys", keys, *expires)
    secrets = [file.read_text().strip() for file in keys.iterdir() if file.suffix == ".nk"]
    assert secrets and not any(secret in text for secret in secrets)
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys.iterdir())

    def place(user: str) -> str:
        return str(keys / f"{user}.{'creds' if kind == 'jwt' else 'nk'}")

    def option(user: str) -> ConnectOptions:
        if kind == "jwt":
            return ConnectOptions(credentials=place(user), inbox=inboxes[user])
        return ConnectOptions(nkey=place(user), inbox=inboxes[user])

    variable = "PAVANE_NATS_CREDS" if kind == "jwt" else "PAVANE_NATS_NKEY"
    operator = {
        variable: place("pavane-operator"),
        "PAVANE_NATS_INBOX": inboxes["pavane-operator"],
    }
    argument = "user_credentials" if kind == "jwt" else "nkeys_seed"
    async with serving(text, tmp_path, GUIDE, {}, operator) as server:
        yield (
            server.url,
            {user: option(user) for user in inboxes},
            lambda user: {argument: place(user), "inbox_prefix": inboxes[user]},
        )


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


class Hostile:
    """A plain client with somebody's credentials; keeps what it is refused, and what it hears."""

    def __init__(self, url: str, credentials: Mapping[str, Any]) -> None:
        self._url = url
        self._credentials = credentials
        self.refused: set[tuple[str, str]] = set()
        self.heard: list[Any] = []
        self.client: Any = None

    async def __aenter__(self) -> Self:
        inbox = str(self._credentials["inbox_prefix"])
        encoded = {**self._credentials, "inbox_prefix": inbox.encode()}
        self.client = await library.connect(self._url, error_cb=self._on_error, **encoded)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def _on_error(self, error: Exception) -> None:
        found = re.search(r'violation for (publish|subscription) to "([^"]+)"', str(error))
        if found is not None:
            self.refused.add((found[1], found[2]))

    async def _hear(self, message: Any) -> None:
        self.heard.append(message)

    async def attempt(self, says: list[str], listens: list[str]) -> set[tuple[str, str]]:
        """What of it the server did not refuse."""
        for subject in says:
            await self.client.publish(subject, b"x")
        for subject in listens:
            await self.client.subscribe(subject, cb=self._hear)
        async with asyncio.timeout(5):
            # Answered when the server has seen all before it.
            await self.client.request("$JS.API.INFO", b"", timeout=5)
            tried = {("publish", s.lower()) for s in says}
            tried |= {("subscription", s.lower()) for s in listens}
        return tried - self.refused


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


@pytest.mark.parametrize("kind", ["password", "conf", "jwt"])
async def test_a52_a_session_runs_under_the_printed_permissions_and_nobody_gets_further(
    kind: str, tmp_path: Path
) -> None:
    here = by_password(tmp_path) if kind == "password" else by_file(tmp_path, kind)
    async with here as (url, options, credentials):
        choreography = pavane.load(GUIDE)
        await play(url, options, choreography)
        await _is_recorded(url, options)
        for role in choreography.roles:
            says, listens = forbidden(role, "Worker2" if role == "Worker1" else "Worker1")
            async with Hostile(url, credentials(f"{HERE}.{role}")) as hostile:
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
    tmp_path: Path,
) -> None:
    file = tmp_path / "rounds.choreo"
    file.write_text(FAMILY)
    async with by_password(tmp_path, file) as (url, options, _):
        rounds = pavane.load(file).bind(N=3)
        await play(url, options, rounds)
        async with pavane.open(url, options=options["pavane-runtime"]) as runtime:
            outcome = await runtime.run(rounds, Leader=StandIn(), W=StandIn())
            assert outcome.tallies["W[2]"].facts == ["answered"]


async def test_a52_an_answer_of_the_server_is_never_taken_for_a_message(tmp_path: Path) -> None:
    """Who asks the server may have its answer sent to any subject: NATS does not check that one."""
    async with by_password(tmp_path) as (url, options, credentials):
        choreography = pavane.load(GUIDE)
        forged = f"{HERE}.SubCoordinator1.0.s.Worker1.0"
        async with Hostile(url, credentials(f"{HERE}.Worker4")) as hostile:
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


async def test_a52_a_missing_preparation_is_said(tmp_path: Path, nats_url: str) -> None:
    inbox = ConnectOptions(inbox="_INBOX.unprepared")
    broker: Broker = await connect(nats_url, options=inbox)
    with pytest.raises(pavane.BrokerError, match="no such stream") as caught:
        await broker.last("NO_SUCH_STREAM", "journal.a.b.c.d.0")
    assert "--prepare" in caught.value.hint
    await broker.close()


DURABLE = """#[namespace = "depot"]
protocol Parcel { roles: Sender, Hub, Van[2];
  Sender[guard_capability = "ship", flow_cost = 3, journal_facts = "shipped"] -> Hub: Parcel(int);
  Hub -> Van[*]: Load(int); Van[i] -> Hub: Loaded(int); Hub -> Sender: Done(int); }
"""


async def sender(me: pavane.Endpoint) -> int:
    await me.send("Parcel", await me.run(parcel))
    total: int = await me.receive("Done")
    return total


async def parcel() -> int:
    return 20


async def hub(me: pavane.Endpoint) -> None:
    await me.send("Load", await me.receive("Parcel"))
    loaded: dict[int, int] = await me.receive("Loaded")
    await me.send("Done", sum(loaded.values()))


async def van(me: pavane.Endpoint) -> None:
    await me.send("Loaded", await me.receive("Load") + me.index)


async def test_a52_workers_with_a_role_each_play_durable_sessions_and_get_no_further(
    tmp_path: Path,
) -> None:
    file = tmp_path / "parcel.choreo"
    file.write_text(DURABLE)
    played = {"Sender": sender, "Hub": hub, "Van": van}
    authority, signer = Authority(), Signer()
    async with (
        by_password(tmp_path, file) as (url, options, credentials),
        AsyncExitStack() as stack,
    ):
        working: list[asyncio.Task[None]] = []
        workers: list[Worker] = []
        for role, function in played.items():
            runtime = await stack.enter_async_context(
                pavane.open(
                    url,
                    options=options[f"depot.Parcel.{role}"],
                    authority=authority,
                    signer=signer,
                )
            )
            parcels = pavane.load(file)
            parcels.role(role)(function)
            worker = Worker(runtime)
            worker.serve(parcels, role)
            workers.append(worker)
            working.append(asyncio.create_task(worker.run()))
        starter = await stack.enter_async_context(
            pavane.open(url, options=options["pavane-runtime"], authority=authority, signer=signer)
        )
        async with asyncio.timeout(30):
            handle = await starter.start(pavane.load(file), session="s1", patience=10)
            outcome = await handle.result()
        assert outcome["Sender"] == 41
        await _nobody_gets_further(url, credentials)
        for worker in workers:
            worker.drain(1)
        await asyncio.gather(*working)


async def _nobody_gets_further(url: str, credentials: Callable[[str], dict[str, Any]]) -> None:
    here = "depot.Parcel"
    for me, other in (("Sender", "Hub"), ("Hub", "Van"), ("Van", "Sender")):
        says = [
            f"{here}.{me}.0.s1.{other}.0.log",
            f"{here}.{other}.0.s1.{other}.0.own",
            f"{here}.{other}.0.s1.-.0.log",  # take its instances over
            f"{here}.-.all.s1.{other}.0.log",
            f"{here}.-.all.s1.-.0.log",  # start, or cancel
            f"{here}.{other}.0.s1.dead",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.{other}.*.s1.*.*.log",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.{other}.0.s1.{other}.0.own",
            f"$JS.API.CONSUMER.CREATE.SESSIONS_depot.c.{here}.*.*.s1.*.*.*",
            "$JS.API.CONSUMER.CREATE.SESSIONS_depot.c",
            f"_WORK.WORK_depot.Parcel.{other}.0011223344556677",
            "$JS.API.CONSUMER.CREATE.WORK_depot.c._WORK.WORK_depot.>",
            f"$JS.API.CONSUMER.MSG.NEXT.WORK_depot.Parcel={other}=0011223344556677",
            f"$JS.ACK.WORK_depot.Parcel={other}=0011223344556677.1.1.1.1.0",
        ]
        streams = ("SESSIONS_depot", "WORK_depot", "PROTOCOLS_depot", "DEAD_depot")
        verbs = ("DELETE", "PURGE", "UPDATE", "CREATE", "MSG.GET", "MSG.DELETE")
        says += [f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs for stream in streams]
        listens = [f"{here}.{other}.*.*.*.*.log", f"{here}.{me}.*.*.*.*.own", "depot.>"]
        async with Hostile(url, credentials(f"{here}.{me}")) as hostile:
            assert await hostile.attempt(says, listens) == set()
            assert hostile.heard == []


@pytest.mark.long
async def test_a52_tokens_end_when_they_are_said_to(tmp_path: Path) -> None:
    keys, place = tmp_path / "keys", tmp_path / "users.conf"
    place.write_text(printed(GUIDE, "--format", "jwt", "--keys", keys, "--expires", "5s"))
    inbox = users(GUIDE)["pavane-reader"]
    options = ConnectOptions(credentials=str(keys / "pavane-reader.creds"), inbox=inbox)
    async with Server(arguments=("-c", str(place))) as server:
        broker = await connect(server.url, options=options)
        await broker.close()
        await asyncio.sleep(5.5)
        with pytest.raises(ServerUnreachable):
            await connect(server.url, options=options)
