"""One live session played by several processes, or several connections of one."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.errors import Absent, SessionLost
from pavane.actors.live import presence, recovery
from pavane.broker.embedded import Server
from pavane.broker.frame import decode

TEXT = """#[namespace = "%s"]
protocol Talk { roles: A, B, W[N];
  A -> B: Ask(int); B -> W[*]: Work(int); W[i] -> B: Part(int); B -> A: Sum(int); A -> W[*]: Bye; }"""


async def a(me: Endpoint) -> int:
    await me.send("Ask", 10)
    total: int = await me.receive("Sum")
    await me.send("Bye")
    return total


async def b(me: Endpoint) -> None:
    await me.send("Work", await me.receive("Ask"))
    parts: dict[int, int] = await me.receive("Part")
    await me.send("Sum", sum(parts.values()))


async def w(me: Endpoint) -> None:
    await me.send("Part", await me.receive("Work") + me.index)
    await me.receive("Bye")


@pytest.fixture
async def others(broker_url: str) -> AsyncGenerator[tuple[pavane.Runtime, pavane.Runtime]]:
    """Two more runtimes, each with a connection of its own."""
    async with pavane.open(broker_url) as first, pavane.open(broker_url) as second:
        yield first, second


@pytest.fixture
def talk(unique: str) -> pavane.Choreography:
    return pavane.load(TEXT % unique).bind(N=3)


async def test_three_connections_play_one_session(
    runtime: pavane.Runtime,
    others: tuple[pavane.Runtime, pavane.Runtime],
    talk: pavane.Choreography,
) -> None:
    async def later() -> pavane.Outcome:
        await asyncio.sleep(0.15)
        return await others[1].join(talk, session="s", W=w)

    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(
            runtime.join(talk, session="s", A=a), others[0].join(talk, session="s", B=b), later()
        )
    assert outcomes[0]["A"] == 33
    assert outcomes[2].tallies["W[2]"].received == 2


async def test_who_does_not_come_is_named(
    runtime: pavane.Runtime, talk: pavane.Choreography
) -> None:
    with pytest.raises(Absent) as caught:
        await runtime.join(talk, session="s", patience=0.2, A=a)
    assert caught.value.roles == ("B", "W")


async def test_another_text_of_the_protocol_is_refused(
    runtime: pavane.Runtime, others: tuple[pavane.Runtime, pavane.Runtime], unique: str
) -> None:
    one = pavane.load(TEXT % unique).bind(N=3)
    other = pavane.load((TEXT % unique).replace("Ask(int)", "Ask(str)")).bind(N=3)
    results = await asyncio.gather(
        runtime.join(one, session="s", patience=3, A=a, W=w),
        others[0].join(other, session="s", patience=3, B=b),
        return_exceptions=True,
    )
    assert any(isinstance(r, pavane.ProtocolViolation) for r in results)
    assert all(isinstance(r, pavane.PavaneError) for r in results)
    assert not any(isinstance(r, Absent) for r in results)


async def test_other_counts_are_refused(
    runtime: pavane.Runtime,
    others: tuple[pavane.Runtime, pavane.Runtime],
    talk: pavane.Choreography,
) -> None:
    results = await asyncio.gather(
        runtime.join(talk, session="s", patience=3, A=a, W=w),
        others[0].join(talk.bind(N=4), session="s", patience=3, B=b),
        return_exceptions=True,
    )
    assert any("other counts" in str(r) for r in results)
    assert all(isinstance(r, pavane.PavaneError) for r in results)


async def test_a_role_that_raises_elsewhere_ends_the_session_here(
    runtime: pavane.Runtime,
    others: tuple[pavane.Runtime, pavane.Runtime],
    talk: pavane.Choreography,
) -> None:
    async def failing(me: Endpoint) -> None:
        await me.receive("Ask")
        raise ValueError("out of paper")

    async with asyncio.timeout(10):
        here, there = await asyncio.gather(
            runtime.join(talk, session="s", A=a, W=w),
            others[0].join(talk, session="s", B=failing),
            return_exceptions=True,
        )
    assert isinstance(there, pavane.RoleFailed)
    assert isinstance(here, pavane.SessionAborted)
    assert here.role == "B"
    assert "out of paper" in here.reason


PEER = """
import asyncio, sys
import pavane

async def silent(me):
    await me.receive("Ask")
    print("asked", flush=True)
    await asyncio.sleep(60)

async def main(url, text):
    async with pavane.open(url) as runtime:
        await runtime.join(pavane.load(text).bind(N=3), session="s", B=silent)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_dies_ends_the_session_with_its_role(
    nats_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(presence, "SILENCE", 1.0)
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    peer = await asyncio.create_subprocess_exec(
        sys.executable, script, nats_url, TEXT % unique, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with pavane.open(nats_url) as runtime, asyncio.timeout(20):
            talk = pavane.load(TEXT % unique).bind(N=3)
            joined = asyncio.create_task(runtime.join(talk, session="s", A=a, W=w))
            assert peer.stdout is not None
            assert await peer.stdout.readline() == b"asked\n"
            peer.kill()
            with pytest.raises(pavane.SessionAborted, match="no sign of life") as caught:
                await joined
        assert caught.value.role == "B"
    finally:
        if peer.returncode is None:
            peer.kill()
        await peer.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


async def test_a_restart_of_the_broker_loses_nothing_between_connections() -> None:
    text = "protocol S { roles: A, B; loop (count: 5000) { A -> B: Item(int); } B -> A: End; }"
    server = Server(port=free_port())
    await server.start()

    async def sender(me: Endpoint) -> None:
        for number in range(5000):
            await me.send("Item", number)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await me.receive("End")

    async def receiver(me: Endpoint) -> int:
        for number in range(5000):
            if number == 2000:
                await server.kill()
                await server.start()
            assert await me.receive("Item") == number
        await me.send("End")
        return 5000

    try:
        stream = pavane.load(text)
        async with (
            pavane.open(server.url) as first,
            pavane.open(server.url) as second,
            asyncio.timeout(30),
        ):
            _, outcome = await asyncio.gather(
                first.join(stream, session="s", A=sender),
                second.join(stream, session="s", B=receiver),
            )
        assert outcome["B"] == 5000
    finally:
        await server.stop()


TALK = "protocol S { roles: A, B; loop (decides: A) { A -> B: Ping; B -> A: Pong; } }"


async def a50_ends(monkeypatch: pytest.MonkeyPatch, away: float) -> tuple[object, object]:
    """What a joined session comes to at both ends when its server is away for `away` seconds,
    silence counts after 0.5 s, and the broker is waited for 2 s."""
    monkeypatch.setattr(presence, "SILENCE", 0.5)
    monkeypatch.setattr(presence, "BEAT", 0.1)
    monkeypatch.setattr(recovery, "PATIENCE", 2.0)
    server = Server(port=free_port())
    await server.start()

    async def talks(me: Endpoint) -> int:
        for number in range(40):
            if number == 20:
                await server.kill()
                asyncio.get_running_loop().call_later(
                    away, lambda: asyncio.create_task(server.start())
                )
            await me.send("Ping")
            await me.receive("Pong")
        await me.choose("stop")
        return 40

    async def listens(me: Endpoint) -> None:
        while (await me.offer()).branch != "stop":
            await me.send("Pong")

    try:
        async with (
            pavane.open(server.url) as first,
            pavane.open(server.url) as second,
            asyncio.timeout(30),
        ):
            return await asyncio.gather(
                first.join(pavane.load(TALK), session="s", A=talks),
                second.join(pavane.load(TALK), session="s", B=listens),
                return_exceptions=True,
            )
    finally:
        await server.stop()


async def test_a50_while_the_broker_is_away_nobody_is_taken_for_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome, _ = await a50_ends(monkeypatch, 1.2)
    assert isinstance(outcome, pavane.Outcome), outcome
    assert outcome["A"] == 40


async def test_a50_a_broker_that_stays_away_is_the_reason_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for end in await a50_ends(monkeypatch, 3.5):
        assert isinstance(end, SessionLost), end
        assert "the broker was not back within 2 s" in str(end)


async def test_a51_who_plays_a_role_that_is_played_already_is_told_so(
    others: tuple[pavane.Runtime, pavane.Runtime], unique: str, runtime: pavane.Runtime
) -> None:
    talk = pavane.load(f'#[namespace = "{unique}"] {TALK}')
    begun = asyncio.Event()

    async def talks(me: Endpoint) -> None:
        while True:
            await me.send("Ping")
            await me.receive("Pong")
            await asyncio.sleep(0.01)
            begun.set()

    async def listens(me: Endpoint) -> None:
        while True:
            await me.receive("Ping")
            await me.send("Pong")

    async with asyncio.timeout(20):
        ends = [
            asyncio.create_task(others[0].join(talk, session="s", A=talks)),
            asyncio.create_task(others[1].join(talk, session="s", B=listens)),
        ]
        await begun.wait()
        with pytest.raises(pavane.PavaneError) as caught:
            await runtime.join(talk, session="s", A=talks)
        # Whoever sees it first says it: what is told to the newcomer, or what it hears itself.
        assert "another process plays A too" in f"{caught.value} {caught.value.hint}"
        for end in await asyncio.gather(*ends, return_exceptions=True):
            assert isinstance(end, pavane.PavaneError)


async def test_processes_that_are_met_are_told_once_each(
    runtime: pavane.Runtime, others: tuple[pavane.Runtime, pavane.Runtime], unique: str
) -> None:
    """A plays alone, B, C and D together: once it has heard them, A need not tell each of the three."""
    talk = pavane.load(
        f"""#[namespace = "{unique}"]
        protocol Four {{ roles: A, B, C, D; A -> B: M; B -> C: M; C -> D: M; D -> A: M; }}"""
    )
    words: list[str] = []

    def heard(subject: str, payload: bytes) -> None:
        control = decode(payload).control
        if control is not None:
            words.append(f"{control.verb} {subject.split('.')[2]}")

    broker = others[1].broker
    await broker.subscribe(f"{unique}.Four.*.*.*.A.*", heard)

    async def forward(me: Endpoint) -> None:
        await me.receive("M")
        await me.send("M")

    async def first(me: Endpoint) -> None:
        await me.send("M")
        await me.receive("M")

    async with asyncio.timeout(10):
        await asyncio.gather(
            runtime.join(talk, session="s", A=first),
            others[0].join(talk, session="s", B=forward, C=forward, D=forward),
        )
    await broker.drained()
    assert {word for word in words if word.startswith("hello")} == {"hello B", "hello C", "hello D"}
    assert len({word for word in words if word.startswith("bye")}) == 1
