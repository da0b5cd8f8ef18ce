"""A worker that lives and does not reach its broker: others go on, and when it is back nothing
that it has said meanwhile is taken."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.durable.audit import audit
from pavane.actors.durable.handle import SessionHandle
from pavane.actors.errors import SessionAborted
from pavane.actors.live import presence
from pavane.broker.embedded import Server
from pavane.effects.journal.history.reading import History
from pavane.effects.journal.places import HEADS

from .conftest import Crew

ROUNDS = 30
COSTS = {"Asker": 5, "Teller": 3}


class Relay:
    """Between clients and the server. Closed, it keeps what comes, connections as well, and when
    it is opened again all of it goes on, however late: `held` counts the bytes from clients."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._port = port
        self._host = host
        self._gate = asyncio.Event()
        self._gate.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []
        self.held = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"nats://{self._host}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, self._host, 0)

    def cut(self) -> None:
        self._gate.clear()

    def heal(self) -> None:
        self._gate.set()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in self._ends:
            # Over a wire that is down, nothing can be sent before it is closed.
            end.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, up_writer]
        for source, sink, outwards in ((reader, up_writer, True), (up_reader, writer, False)):
            task = asyncio.create_task(self._pump(source, sink, outwards=outwards))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, outwards: bool
    ) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    if not self._gate.is_set():
                        self.held += len(data) if outwards else 0
                        await self._gate.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()


@pytest.fixture
async def relay(nats_server: Server) -> AsyncIterator[Relay]:
    relay = Relay(nats_server.port)
    await relay.start()
    yield relay
    await relay.stop()


class Network:
    """A network namespace, and a wire to it that can be taken down: packets are lost then, and
    neither side is told. `here` is our end's address."""

    def __init__(self) -> None:
        self.name = f"pv{secrets.token_hex(4)}"
        self.wire = f"{self.name}a"
        net = f"10.{secrets.randbelow(50) + 200}.{secrets.randbelow(250)}"
        self.here, self.there = f"{net}.1", f"{net}.2"

    def make(self) -> None:
        inner = f"{self.name}b"
        self.ip(f"netns add {self.name}")
        self.ip(f"link add {self.wire} type veth peer name {inner} netns {self.name}")
        self.ip(f"addr add {self.here}/30 dev {self.wire}")
        self.ip(f"link set {self.wire} up")
        self.ip(f"-n {self.name} addr add {self.there}/30 dev {inner}")
        self.ip(f"-n {self.name} link set {inner} up")

    def ip(self, words: str) -> None:
        subprocess.run(["ip", *words.split()], check=True, capture_output=True)

    @property
    def within(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        self.ip(f"link set {self.wire} down")

    def heal(self) -> None:
        self.ip(f"link set {self.wire} up")

    def remove(self) -> None:
        for words in (f"link del {self.wire}", f"netns del {self.name}"):
            with suppress(subprocess.CalledProcessError):
                self.ip(words)


@pytest.fixture
def network() -> Iterator[Network]:
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("it takes root and iproute2 on Linux")
    network = Network()
    try:
        network.make()
    except subprocess.CalledProcessError as error:
        network.remove()
        pytest.skip(f"this machine does not let us make a network: {error.stderr.decode()}")
    yield network
    network.remove()


async def everything(starter: pavane.Runtime, handle: SessionHandle) -> list[object]:
    """Every record of a session, and every entry of its journals with their heads."""
    place = handle.place
    entries = History(starter.broker).entries(
        namespace=place.namespace, protocol=place.protocol, session=place.session
    )
    log = starter.broker.read(place.stream, place.everything)
    heads = starter.broker.read(
        HEADS, f"journal_heads.{place.namespace}.{place.protocol}.{place.session}.*.*"
    )
    records: list[object] = []
    for found in (log, heads):
        records += [(r.sequence, r.subject, r.payload) async for r in found]
    return [*records, *[e async for e in entries]]


async def parting(
    crew: Crew,
    starter: pavane.Runtime,
    cut: Callable[[], None],
    heal: Callable[[], None],
    times: int,
    longest: float,
) -> None:
    """`far` and `near` serve; again and again the first is cut off with sessions in hand. Every other
    time it comes back when they have ended elsewhere, and up to `longest` seconds later; else in the middle."""
    rng = random.Random(times)
    talk = crew.load("Talk")
    takeovers = 0
    for turn in range(times):
        await crew.until(starter, lambda p: len(p) == 2 and not any(w.running for w in p))
        given = {"rounds": ROUNDS, "pause": 0.1}
        handles = [
            await starter.start(talk, bindings={"rounds": ROUNDS}, input=given, patience=30)
            for _ in range(3)
        ]
        await crew.until(starter, lambda p: any(w.name == "far" and w.running for w in p))
        # What it has taken it has also marked by then, and none of it is over: a session takes 3 s.
        await asyncio.sleep(0.5)
        cut()
        if turn % 2:
            await asyncio.sleep(rng.uniform(0.7, 2.0))
            heal()
        try:
            async with asyncio.timeout(60):
                outcomes = [await handle.result() for handle in handles]
        except TimeoutError:
            raise AssertionError(crew.logs()) from None
        before = [await everything(starter, handle) for handle in handles]
        if not turn % 2:
            await asyncio.sleep(rng.uniform(0.0, longest))
            heal()
        await crew.until(starter, lambda p: len(p) == 2 and not any(w.running for w in p))
        for handle, outcome, was in zip(handles, outcomes, before, strict=True):
            assert outcome["Asker"] == outcome["Teller"]
            added = [each for each in await everything(starter, handle) if each not in was]
            assert added == [], "nothing was added"
            takeovers += await checked(starter, handle)
    assert takeovers >= times / 2, "it was cut off with something in hand"
    assert all(process.poll() is None for process in crew.processes.values()), crew.logs()


async def checked(starter: pavane.Runtime, handle: SessionHandle) -> int:
    found = await audit(starter.broker, handle.place, History(starter.broker))
    assert found.faults == []
    assert found.is_over
    assert found.messages == 2 * ROUNDS
    assert found.charged == sum(COSTS.values()) * ROUNDS
    assert found.facts == 2 * ROUNDS
    return found.takeovers


@pytest.mark.parametrize(
    ("times", "longest"), [(1, 0.5), pytest.param(20, 12.0, marks=pytest.mark.long)]
)
async def test_a50_nothing_is_taken_of_a_worker_that_was_cut_off(
    crew: Crew, starter: pavane.Runtime, relay: Relay, times: int, longest: float
) -> None:
    crew.start("near", lease=0.6, attempts=1000)
    crew.url = relay.url
    crew.start("far", lease=0.6, attempts=1000)
    await parting(crew, starter, relay.cut, relay.heal, times, longest)
    assert relay.held > 0, "it had something to say meanwhile, which came late"


@pytest.mark.parametrize(
    ("times", "longest"), [(1, 0.5), pytest.param(20, 12.0, marks=pytest.mark.long)]
)
async def test_a50_nothing_is_taken_of_a_worker_whose_network_was_down(
    crew: Crew,
    starter: pavane.Runtime,
    nats_server: Server,
    network: Network,
    times: int,
    longest: float,
) -> None:
    relay = Relay(nats_server.port, network.here)
    await relay.start()
    try:
        crew.start("near", lease=0.6, attempts=1000)
        crew.url, crew.within = relay.url, network.within
        crew.start("far", lease=0.6, attempts=1000, **{"allow-remote": True})
        await parting(crew, starter, network.cut, network.heal, times, longest)
    finally:
        await relay.stop()


@pytest.mark.parametrize("silence", [1.0, pytest.param(5.0, marks=pytest.mark.long)])
async def test_a50_a_live_session_that_is_parted_ends_on_both_sides_and_says_why(
    nats_url: str, relay: Relay, unique: str, monkeypatch: pytest.MonkeyPatch, silence: float
) -> None:
    monkeypatch.setattr(presence, "SILENCE", silence)
    text = "protocol Parted { roles: A, B; loop { A -> B: Ask(int); B -> A: Tell(int) } }"
    talk = pavane.load(f'#[namespace = "{unique}"] {text}')
    heard = 0

    async def a(me: Endpoint) -> None:
        nonlocal heard
        while True:
            await me.send("Ask", heard)
            assert await me.receive("Tell") == heard
            heard += 1
            if heard == 20:
                relay.cut()

    async def b(me: Endpoint) -> None:
        while True:
            await me.send("Tell", await me.receive("Ask"))

    async with pavane.open(nats_url) as near, pavane.open(relay.url) as far, asyncio.timeout(30):
        ends = await asyncio.gather(
            near.join(talk, session="s", A=a), far.join(talk, session="s", B=b),
            return_exceptions=True,
        )  # fmt: skip
        relay.heal()
    assert heard >= 20
    for end, other in zip(ends, ("B", "A"), strict=True):
        assert isinstance(end, SessionAborted), end
        assert other in str(end)
        assert f"no sign of life from its process for {silence:g} s" in str(end)
