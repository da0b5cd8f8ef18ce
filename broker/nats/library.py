"""The part of nats-py that is used, with types: the one place that imports it.

Two kinds of call are left out on purpose. `flush`, `rtt` and `drain` kill the reader when they
are cancelled or time out. Iterators and `next_msg` lose a message when they are cancelled.

And the two that every message takes are gone about in an unusual way, each a turn of the event
loop shorter. What comes is taken from the socket before the library reads it (`Wire`). What
it reads nevertheless it gives to a future in place of a callback (`Tap`): no task and no queue
for each subscription, and so nothing that could overflow. A publish is a coroutine that only hands over, so it is run to its end where it is called; and
one without headers is written to the socket past the library's queue, if that is empty
(`socket_writer`): whoever waits for an answer would wait for a turn more.
"""

from __future__ import annotations

import asyncio
import ssl
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, cast

import nats.errors as library_errors
from nats.aio.client import Client as _Client
from nats.aio.transport import TcpTransport
from nats.protocol.parser import AWAITING_CONTROL_LINE

LibraryError: type[Exception] = library_errors.Error
AuthorizationError: type[Exception] = library_errors.AuthorizationError


class Msg(Protocol):
    subject: str
    reply: str
    data: bytes

    @property
    def headers(self) -> dict[str, str] | None: ...


OnMessage = Callable[[Msg], None]
OnEvent = Callable[[], Awaitable[None]]
OnError = Callable[[Exception], Awaitable[None]]


class Uri(Protocol):
    hostname: str | None
    port: int | None


class PoolServer(Protocol):
    uri: Uri


Choose = Callable[[list[PoolServer], dict[str, Any]], tuple[PoolServer | None, float]]


class Version(Protocol):
    @property
    def major(self) -> int: ...
    @property
    def minor(self) -> int: ...
    @property
    def patch(self) -> int: ...


class LibrarySubscription(Protocol):
    async def unsubscribe(self, limit: int = 0) -> None: ...


class LibraryClient(Protocol):
    @property
    def is_connected(self) -> bool: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def pending_data_size(self) -> int:
        """Bytes that wait in the library for their turn to be written."""
        ...

    @property
    def max_payload(self) -> int: ...
    @property
    def connected_server_version(self) -> Version: ...
    @property
    def last_error(self) -> Exception | None: ...

    async def connect(
        self,
        servers: list[str],
        *,
        error_cb: OnError,
        disconnected_cb: OnEvent,
        closed_cb: OnEvent,
        reconnected_cb: OnEvent,
        reconnect_to_server_handler: Choose,
        name: str,
        allow_reconnect: bool,
        connect_timeout: float,
        reconnect_time_wait: float,
        max_reconnect_attempts: int,
        ping_interval: float,
        max_outstanding_pings: int,
        pending_size: int,
        tls: ssl.SSLContext | None,
        user: str | None,
        password: str | None,
        token: str | None,
        user_credentials: str | None,
        nkeys_seed: str | None,
    ) -> None: ...

    def publish(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> Coroutine[Any, Any, None]: ...

    async def subscribe(
        self, subject: str, *, future: asyncio.Future[Msg]
    ) -> LibrarySubscription: ...

    async def close(self) -> None: ...


class NotEncrypted(library_errors.Error):
    """A server that was to speak TLS does not offer it. Nothing was said to it."""


class _Encrypted(_Client):
    """The library speaks TLS if the server says so, in a word that anybody on the way can change; and
    next it shows who we are. This one looks first."""

    def _connect_command(self) -> bytes:
        writer: Any = getattr(self._transport, "_io_writer", None)
        if writer is None or writer.get_extra_info("ssl_object") is None:
            raise NotEncrypted("it does not offer TLS, which was asked for")
        # The library leaves out to say so, and asyncio complains at the end of each connection.
        protocol: Any = writer.transport.get_protocol()
        if protocol is not None:
            protocol._over_ssl = True
        command: bytes = super()._connect_command()
        return command


def new_client(*, encrypted: bool = False) -> LibraryClient:
    """With `encrypted`, one that says nothing before the connection speaks TLS."""
    return cast(LibraryClient, _Encrypted() if encrypted else _Client())


def drop_transport(client: LibraryClient) -> None:
    """Close what a handshake that failed left open: the library only forgets it."""
    transport = getattr(client, "_transport", None)
    if transport is not None:
        transport.close()


def reconnecting_of(client: LibraryClient) -> asyncio.Task[None] | None:
    """The task in which a client tries to be connected again; closing it, the library cancels that only
    once."""
    found: asyncio.Task[None] | None = getattr(client, "_reconnection_task", None)
    return found


def socket_writer(client: LibraryClient) -> Callable[[bytes], None] | None:
    """What a connected client writes to its socket with, or None where the library is not built
    as we know it. It never waits; after a cut it writes to nowhere."""
    transport = getattr(client, "_transport", None)
    return transport.write if isinstance(transport, TcpTransport) else None


class Tap(asyncio.Future[Msg]):
    """A future that is never done: each result is handed to `on_message` at once.

    The library sets it from the loop that reads the socket, which an exception would end; one
    is said aloud instead.
    """

    def __init__(self, on_message: OnMessage) -> None:
        super().__init__()
        self._on_message = on_message

    def set_result(self, result: Msg, /) -> None:
        try:
            self._on_message(result)
        except Exception as error:  # noqa: BLE001
            say_aloud(result.subject, error)


def say_aloud(subject: str, error: Exception) -> None:
    """Tell the event loop of what a subscriber raised, which nobody else can hear."""
    context = {"message": f"a subscriber to {subject} raised", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)


class Wire:
    """Where the bytes for a connected client come in."""

    def __init__(self, transport: asyncio.Transport, is_between: Callable[[], bool]) -> None:
        self._transport = transport
        self.protocol = cast(asyncio.Protocol, transport.get_protocol())
        self.is_between = is_between
        """Whether the library has read whatever it was given to its end."""

    def divert(self, protocol: asyncio.Protocol) -> None:
        """Give what comes to `protocol`, which has to pass on to the other what it does not take."""
        self._transport.set_protocol(protocol)


def wire_of(client: LibraryClient) -> Wire | None:
    """None where the library is not built as we know it, or not on a plain socket."""
    tcp = getattr(client, "_transport", None)
    parser: Any = getattr(client, "_ps", None)
    writer: Any = getattr(tcp, "_io_writer", None)
    buffer = getattr(getattr(tcp, "_io_reader", None), "_buffer", None)
    if not isinstance(tcp, TcpTransport) or not isinstance(buffer, bytearray):
        return None
    if not hasattr(parser, "buf") or not hasattr(parser, "state"):
        return None
    return Wire(
        writer.transport,
        lambda: not buffer and not parser.buf and parser.state == AWAITING_CONTROL_LINE,
    )


def number_of(subscription: LibrarySubscription) -> bytes:
    """What the server calls it, as it stands on the wire; nothing where that is not known."""
    number = getattr(subscription, "_id", None)
    return b"" if number is None else b"%d" % number


class Headed:
    """A message whose headers are read when they are asked for."""

    __slots__ = ("data", "head", "reply", "subject")

    def __init__(self, subject: str, reply: str, data: bytes, head: bytes) -> None:
        self.subject = subject
        self.reply = reply
        self.data = data
        self.head = head

    @property
    def headers(self) -> dict[str, str] | None:
        """By name. What the first line says is `Status` and `Description`, as in the library."""
        if not self.head:
            return None
        first, *lines = self.head.decode("utf-8", "replace").split("\r\n")
        status, _, description = first.removeprefix("NATS/1.0").strip().partition(" ")
        said = [("Status", status), ("Description", description.strip())]
        named = [(name.strip(), value.strip()) for name, _, value in map(_halves, lines)]
        return {name: value for name, value in (*said, *named) if name and value}


def _halves(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def run_now(publishing: Coroutine[Any, Any, None]) -> Awaitable[None] | None:
    """Run a coroutine as far as it goes by itself. None if that was to its end; else what is
    left of it, to be awaited by a task that nobody cancels. Raises what it raises."""
    try:
        waiting = publishing.send(None)
    except StopIteration:
        return None
    return _rest(publishing, waiting)


@types.coroutine
def _rest(publishing: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Wait for what `publishing` waits for, and go on with it."""
    while True:
        yield waiting
        try:
            waiting = publishing.send(None)
        except StopIteration:
            return
