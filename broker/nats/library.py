"""The part of nats-py that is used, with types: the one place that imports it.

Two kinds of call are left out on purpose. `flush`, `rtt` and `drain` kill the reader when they
are cancelled or time out. Iterators and `next_msg` lose a message when they are cancelled.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import nats.errors as library_errors
from nats.aio.client import Client as _Client

LibraryError: type[Exception] = library_errors.Error
SlowConsumerError: type[Exception] = library_errors.SlowConsumerError
AuthorizationError: type[Exception] = library_errors.AuthorizationError


class Msg(Protocol):
    subject: str
    reply: str
    data: bytes

    @property
    def headers(self) -> dict[str, str] | None: ...


OnMessage = Callable[[Msg], Awaitable[None]]
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
    @property
    def pending_msgs(self) -> int: ...
    async def unsubscribe(self, limit: int = 0) -> None: ...


class LibraryClient(Protocol):
    @property
    def is_connected(self) -> bool: ...
    @property
    def is_closed(self) -> bool: ...
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

    async def publish(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None: ...

    async def subscribe(
        self, subject: str, *, cb: OnMessage, pending_msgs_limit: int, pending_bytes_limit: int
    ) -> LibrarySubscription: ...

    async def close(self) -> None: ...


def new_client() -> LibraryClient:
    return cast(LibraryClient, _Client())


def drop_transport(client: LibraryClient) -> None:
    """Close what a handshake that failed left open: the library only forgets it."""
    transport = getattr(client, "_transport", None)
    if transport is not None:
        transport.close()


def overflowed(error: Exception) -> object | None:
    """The subscription that dropped messages, if that is what `error` says."""
    return getattr(error, "sub", None) if isinstance(error, SlowConsumerError) else None
