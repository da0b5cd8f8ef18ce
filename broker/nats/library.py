"""The part of nats-py that is used, with types: the one place that imports it.

Two kinds of call are left out on purpose. `flush`, `rtt` and `drain` kill the reader when they
are cancelled or time out. Iterators and `next_msg` lose a message when they are cancelled.

And the two that every message takes are gone about in an unusual way, each a turn of the event
loop shorter. A subscription is given a future in place of a callback, which the library resolves
where it reads: no task and no queue for each subscription, and so nothing that could overflow.
A publish is a coroutine that only hands over, so it is run to its end where it is called; and
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


class _Reading(_Client):
    """A client that reads of the headers what it needs: the status of an answer without content.
    Those of a record that was stored with some come along with it, and nobody asks for them."""

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        if not headers or headers[8:9] != b" ":
            return None
        return await super()._process_headers(headers)  # pyright: ignore[reportUnknownMemberType]


def new_client() -> LibraryClient:
    return cast(LibraryClient, _Reading())


def drop_transport(client: LibraryClient) -> None:
    """Close what a handshake that failed left open: the library only forgets it."""
    transport = getattr(client, "_transport", None)
    if transport is not None:
        transport.close()


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
            self.get_loop().call_exception_handler(
                {"message": f"a subscriber to {result.subject} raised", "exception": error}
            )


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
