"""What comes from a server, cut into messages: held against the library's own reading of it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from nats.aio.client import Client
from nats.protocol.parser import Parser

from pavane.broker.connect import connect
from pavane.broker.nats.intake import Ears, Intake
from pavane.broker.nats.library import Headed, Msg, Wire, wire_of

Heard = tuple[str, str, bytes, bytes]
"""Of a message: number and subject, reply, head, content. Of anything else: its name."""


class Reader:
    """The library's parser, and what it finds."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.parser = Parser(self)

    async def _process_msg(
        self, number: int, subject: bytes, reply: bytes, data: bytes, head: bytes | None
    ) -> None:
        name = f"{number} {subject.decode()}"
        self.heard.append((name, reply.decode(), head or b"", data))

    async def _process_ping(self) -> None:
        self.heard.append(("PING", "", b"", b""))

    async def _process_pong(self) -> None:
        self.heard.append(("PONG", "", b"", b""))

    async def _process_err(self, error: str) -> None:
        self.heard.append(("ERR", "", b"", error.encode()))

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.heard.append(("INFO", "", b"", repr(info).encode()))


class Library(asyncio.Protocol):
    """Stands where the library's protocol stands, and hands on to its parser."""

    def __init__(self) -> None:
        self.reader = Reader()

    def data_received(self, data: bytes) -> None:
        coroutine = self.reader.parser.parse(data)
        with pytest.raises(StopIteration):
            coroutine.send(None)


class Socket(asyncio.Transport):
    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.protocol = protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol


class Ours:
    """An intake with subscribers 1 (to subject and content) and 2 (to the whole); all others are the
    library's."""

    def __init__(self) -> None:
        self.library = Library()
        self.heard = self.library.reader.heard
        self.ears = Ears()
        self.ears.delivers[b"1"] = lambda subject, data: self.heard.append((subject, "", b"", data))
        self.ears.hears[b"2"] = self._hear
        parser: Any = self.library.reader.parser
        self.wire = Wire(Socket(self.library), lambda: not parser.buf and parser.state == 1)
        self.intake = Intake(self.wire, self.ears)

    def _hear(self, msg: Msg) -> None:
        assert isinstance(msg, Headed)
        self.heard.append((f"2 {msg.subject}", msg.reply, msg.head, msg.data))


def some(rng: random.Random) -> bytes:
    """What a server may say next."""
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice([b"PING\r\n", b"PONG\r\n", b"+OK\r\n"])
    if kind == 1:
        return rng.choice([b"-ERR 'no such 1 thing'\r\n", b'INFO {"max_payload":1024, "a": 1}\r\n'])
    number = rng.randrange(1, 4)
    subject = f"a.{rng.randrange(100)}"
    reply = f" _INBOX.{rng.randrange(9)}" if rng.random() < 0.3 else ""
    data = rng.randbytes(rng.choice([0, 1, 10, 10, 100, 5000]))
    if rng.random() < 0.3:
        data += b"\r\nMSG a.1 1 3\r\nxyz\r\n"
    if kind < 9:
        return f"MSG {subject} {number}{reply} {len(data)}\r\n".encode() + data + b"\r\n"
    head = rng.choice([b"NATS/1.0 503\r\n\r\n", b"NATS/1.0\r\nA: b\r\n\r\n"])
    sizes = f"{len(head)} {len(head) + len(data)}"
    return f"HMSG {subject} {number}{reply} {sizes}\r\n".encode() + head + data + b"\r\n"


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    size = rng.choice([1, 7, 100, 3000, 100_000]) if len(data) < 30_000 else 3000
    cuts = [0]
    while cuts[-1] < len(data):
        cuts.append(cuts[-1] + rng.randint(1, size))
    return [data[a:b] for a, b in itertools.pairwise(cuts)]


def plain(heard: Heard) -> Heard:
    """As subscriber 1 hears it."""
    name, _, _, data = heard
    return (name.removeprefix("1 "), "", b"", data) if name.startswith("1 ") else heard


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_a_server_says_is_heard_as_the_library_would(seed: int) -> None:
    """However it is cut, in order, nothing lost and nothing twice."""
    rng = random.Random(seed)
    said = b"".join(some(rng) for _ in range(rng.choice([1, 5, 200])))
    theirs, ours = Reader(), Ours()
    await theirs.parser.parse(said)
    for piece in pieces(rng, said):
        ours.intake.data_received(piece)
    assert ours.heard == [plain(heard) for heard in theirs.heard]


async def test_an_intake_takes_over_where_the_library_is_between_two_messages() -> None:
    ours = Ours()
    wire = Wire(Socket(ours.library), ours.wire.is_between)
    said = b"MSG a 1 5\r\nhello\r\n"
    ours.library.data_received(said[:12])
    intake = Intake(wire, Ears())
    intake.data_received(said[12:])
    assert ours.heard == [("1 a", "", b"", b"hello")]
    ours.intake.data_received(said)
    assert ours.heard[1:] == [("a", "", b"", b"hello")]


@pytest.mark.parametrize("seed", range(25))
async def test_bytes_that_no_server_says_raise_nothing_and_end(seed: int) -> None:
    """What is not understood goes to the library as it is, from there on to the end."""
    rng = random.Random(seed)
    said = bytearray(b"".join(some(rng) for _ in range(20)))
    for _ in range(rng.choice([1, 3, 30])):
        said[rng.randrange(len(said))] = rng.choice([32, 45, 48, 13, 10, 255, rng.randrange(256)])
    passed = list[bytes]()

    class Passed(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            passed.append(data)

    ears, heard = Ears(), list[bytes]()
    ears.delivers[b"1"] = lambda _subject, data: heard.append(data)
    ears.hears[b"2"] = lambda msg: heard.append(msg.data)
    intake = Intake(Wire(Socket(Passed()), lambda: True), ears)
    for piece in pieces(rng, bytes(said)):
        intake.data_received(piece)
    assert sum(map(len, heard)) + sum(map(len, passed)) <= len(said)


async def test_who_is_dropped_hears_no_more_and_others_still_do() -> None:
    """On subjects where it has heard something before, too."""
    ours = Ours()
    other = list[bytes]()
    ours.ears.delivers[b"4"] = lambda _subject, data: other.append(data)
    for data in (b"x", b"y"):
        ours.intake.data_received(b"MSG a 1 1\r\n%b\r\nMSG a 4 1\r\n%b\r\n" % (data, data))
        ours.ears.drop(b"1")
    assert ours.heard == [("a", "", b"", b"x"), ("1 a", "", b"", b"y")]
    assert other == [b"x", b"y"]


async def test_a_subscriber_that_raises_is_heard_of_and_the_next_message_comes() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about["message"]))
    ours = Ours()
    heard: list[bytes] = []

    def hear(_subject: str, data: bytes) -> None:
        heard.append(data)
        raise ValueError("no")

    ours.ears.delivers[b"1"] = hear
    ours.intake.data_received(b"MSG a 1 1\r\nx\r\nMSG b 1 1\r\ny\r\n")
    assert heard == [b"x", b"y"]
    assert told == ["a subscriber to a raised", "a subscriber to b raised"]


async def test_a_large_message_in_many_small_pieces_takes_no_longer_than_its_size_allows() -> None:
    """8 MiB by the kilobyte: joined at each piece they would be 32 GiB of copies."""
    ours = Ours()
    data = bytes(8 << 20)
    said = f"MSG a 1 {len(data)}\r\n".encode() + data + b"\r\n"
    began = time.process_time()
    for at in range(0, len(said), 1024):
        ours.intake.data_received(said[at : at + 1024])
    assert ours.heard == [("a", "", b"", data)]
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("head", "headers"),
    [
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503"}),
        (b"NATS/1.0 404 No Messages\r\n\r\n", {"Status": "404", "Description": "No Messages"}),
        (b"NATS/1.0\r\nNats-Msg-Id: a:b\r\nX:y\r\n\r\n", {"Nats-Msg-Id": "a:b", "X": "y"}),
        (
            b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n",
            {"Status": "100", "Description": "Idle Heartbeat", "Nats-Last-Consumer": "7"},
        ),
        (b"", None),
    ],
)
async def test_headers_are_read_as_the_library_reads_them(
    head: bytes, headers: dict[str, str] | None
) -> None:
    client: Any = Client()
    assert Headed("a", "", b"", head).headers == headers
    assert await client._process_headers(head) == headers


class Proxy(Protocol):
    @property
    def url(self) -> str: ...
    def cut(self) -> None: ...


async def test_the_library_is_built_as_the_intake_knows_it(
    nats_url: str, until: Callable[..., Awaitable[None]]
) -> None:
    """Else it reads by itself, which is right but slow: this test is to say so."""
    client: Any = Client()
    assert wire_of(client) is None
    await client.connect(nats_url)
    wire = wire_of(client)
    assert wire is not None
    await until(wire.is_between)
    await client.close()


async def test_an_intake_reads_the_next_connection_too(
    proxy: Proxy, unique: str, until: Callable[..., Awaitable[None]]
) -> None:
    broker: Any = await connect(proxy.url)
    got: list[bytes] = []

    def hear(_subject: str, data: bytes) -> None:
        got.append(data)

    await broker.subscribe(unique, hear)

    def reads_straight() -> bool:
        wire = wire_of(broker._link._client)
        return wire is not None and isinstance(wire.protocol, Intake)

    assert reads_straight()
    proxy.cut()
    await until(lambda: not broker._link.is_connected)
    await until(lambda: broker._link.is_connected)
    assert reads_straight()
    broker.publish(unique, b"again")
    await until(lambda: got == [b"again"])
    await broker.close()
