"""Frames from outside: a plain client of the broker says what it should not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pavane
from pavane import Endpoint
from pavane.actors.events import Event, FrameRefused
from pavane.actors.mailbox.mailbox import FULL
from pavane.broker.contract import Broker
from pavane.broker.frame import Frame, Message, encode
from pavane.broker.payload import pack

TEXT = """#[namespace = "{space}"]
protocol Talk {{ roles: A, B, C;
  A -> B: Hello(int); B -> A: Price(int); C -> B: Bye; B -> C: Bye; }}"""


class Stage:
    """A session in which A says nothing, so that an outsider can speak in its place."""

    def __init__(self, runtime: pavane.Runtime, outsider: Broker, space: str) -> None:
        self.runtime = runtime
        self.outsider = outsider
        self.space = space
        self.talk = pavane.load(TEXT.format(space=space))
        self.events: list[Event] = []
        self.c_saw: list[pavane.PavaneError] = []

    def say(self, data: bytes, *, sender: str = "A", to: str = "B", index: str = "0") -> None:
        self.outsider.publish(f"{self.space}.Talk.{to}.0.s.{sender}.{index}", data)

    def frame(self, *messages: Message, fingerprint: bytes | None = None) -> bytes:
        return encode(Frame(fingerprint or self.talk.compiled.fingerprint, messages))

    async def play(
        self, intrude: Callable[[], None], a: Callable[[Endpoint], Awaitable[Any]]
    ) -> Any:
        async def b(me: Endpoint) -> int:
            heard: int = await me.receive("Hello")
            await me.send("Price", heard)
            await me.receive("Bye")
            await me.send("Bye")
            return heard

        async def c(me: Endpoint) -> None:
            intrude()
            try:
                await asyncio.sleep(0.02)
                await me.send("Bye")
                await me.receive("Bye")
            except pavane.PavaneError as error:
                self.c_saw.append(error)
                raise

        self.runtime.observe(self.events.append)
        async with asyncio.timeout(5):
            return await self.runtime.run(self.talk, session="s", A=a, B=b, C=c)


@pytest.fixture
def stage(runtime: pavane.Runtime, outsider: Broker, unique: str) -> Stage:
    return Stage(runtime, outsider, unique)


async def silent(me: Endpoint) -> None:
    await asyncio.sleep(1)


async def late(me: Endpoint) -> None:
    await asyncio.sleep(0.1)
    await me.send("Hello", 5)
    await me.receive("Price")


HELLO = Message(1, "Hello", pack(5))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([Message(1, "Goodbye")], "Goodbye"),
        ([Message(1, "Bye")], "Bye"),
        ([Message(2, "Hello", pack(5))], "message 2"),
        ([Message(1, "Hello", pack("five"))], "does not fit"),
        ([Message(1, "Hello", b"\xc1")], "does not fit"),
        ([Message(1, "Hello", b"\x91" * 500 + b"\xc0")], "does not fit"),
        ([Message(n, "Hello", pack(n)) for n in range(1, 1000)], "unread|Hello"),
    ],
    ids=["unknown", "not-now", "gap", "type", "garbage", "deep", "flood"],
)
async def test_a05_a14_a51_a_peer_off_the_protocol_is_a_violation_that_names_it(
    stage: Stage, messages: list[Message], reason: str
) -> None:
    def intrude() -> None:
        for start in range(0, len(messages), 500):
            stage.say(stage.frame(*messages[start : start + 500]))
        if len(messages) > 500:
            more = [Message(n, "Hello", pack(n)) for n in range(1000, FULL + 1000)]
            for start in range(0, FULL, 500):
                stage.say(stage.frame(*more[start : start + 500]))

    with pytest.raises(pavane.ProtocolViolation, match=reason) as caught:
        await stage.play(intrude, silent)
    assert caught.value.role == "A"
    assert [type(error) for error in stage.c_saw] == [pavane.SessionAborted]
    assert await _still_alive(stage)


async def _still_alive(stage: Stage) -> bool:
    async def a(me: Endpoint) -> None:
        await me.send("Hello", 1)
        await me.receive("Price")

    outcome = await stage.play(lambda: None, a)
    return bool(outcome["B"] == 1)


@pytest.mark.parametrize(
    "data", [b"\0", b"garbage", b"\xdc\xff\xff", b"\x80" * 1000, b"\xc4\x02ab"], ids=range(5)
)
async def test_a51_garbage_in_a_mailbox_is_a_violation_of_its_sender(
    stage: Stage, data: bytes
) -> None:
    with pytest.raises(pavane.ProtocolViolation, match="A sent bytes that are no frame"):
        await stage.play(lambda: stage.say(data), silent)
    assert await _still_alive(stage)


async def test_a51_a_flood_of_large_messages_is_bounded_by_its_bytes(stage: Stage) -> None:
    def intrude() -> None:
        blob = pack("x" * 500_000)
        for number in range(1, 130):
            stage.say(stage.frame(Message(number, "Hello", blob)))

    async def idle(me: Endpoint) -> None:
        await asyncio.Event().wait()

    async def c(me: Endpoint) -> None:
        intrude()
        await idle(me)

    with pytest.raises(pavane.ProtocolViolation, match="unread messages") as caught:
        async with asyncio.timeout(10):
            await stage.runtime.run(stage.talk, session="s", A=idle, B=idle, C=c)
    assert caught.value.role == "A"


async def test_a51_another_protocols_fingerprint_is_refused(stage: Stage) -> None:
    data = stage.frame(HELLO, fingerprint=b"12345678")
    with pytest.raises(pavane.ProtocolViolation, match="follows another protocol"):
        await stage.play(lambda: stage.say(data), silent)


async def test_a51_who_never_speaks_to_a_role_is_named(stage: Stage) -> None:
    data = stage.frame(Message(1, "Hello", pack(1)))
    with pytest.raises(pavane.ProtocolViolation, match="C sent A Hello, but never speaks to it"):
        await stage.play(lambda: stage.say(data, sender="C", to="A"), silent)


@pytest.mark.parametrize(
    ("sender", "index"), [("Nobody", "0"), ("A", "7"), ("A", "x"), ("A", "all")]
)
async def test_a51_unknown_senders_are_dropped_and_reported(
    stage: Stage, sender: str, index: str
) -> None:
    def intrude() -> None:
        stage.say(stage.frame(HELLO), sender=sender, index=index)

    outcome = await stage.play(intrude, late)
    assert outcome["B"] == 5
    refused = [e for e in stage.events if isinstance(e, FrameRefused)]
    assert [e.subject.split(".")[-2:] for e in refused] == [[sender, index]]


async def test_a51_an_old_number_is_dropped(stage: Stage) -> None:
    async def prompt(me: Endpoint) -> None:
        await me.send("Hello", 1)
        await me.receive("Price")

    def intrude() -> None:
        asyncio.get_running_loop().call_later(0.01, lambda: stage.say(stage.frame(HELLO)))

    outcome = await stage.play(intrude, prompt)
    assert outcome["B"] == 1
