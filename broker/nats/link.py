"""A connection to a NATS server that comes back by itself.

What is sent is with the library when `send` returns: no one waits, and so no one can be
cancelled while the library would swallow it. Nothing here flushes: a fence is a message to
ourselves, which comes back when the server has seen all before it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from ..contract import Deliver, Lost
from ..errors import Forbidden, NotConnected, PayloadTooLarge, ServerUnreachable
from ..options import ConnectOptions
from . import address as addresses
from .dialling import ended, shut
from .inbox import Inbox, NoAnswer
from .intake import Ears, listen_in
from .library import (
    AuthorizationError,
    LibraryClient,
    LibraryError,
    LibrarySubscription,
    Msg,
    NotEncrypted,
    PoolServer,
    Tap,
    drop_transport,
    new_client,
    number_of,
    wire_of,
)
from .tls import check_credentials, context
from .writer import Writer

log = logging.getLogger("pavane.broker")

CONNECT_TIMEOUT = 1.5
PING_INTERVAL = 2.0
RECONNECT_WAIT = 0.1
_FENCE_TIMEOUT = 10.0
_AGAIN = 0.02
_PATIENCE = 10.0
_DENIED = re.compile(
    r'permissions violation for (subscription to|publish to) "([^"]+)"', re.IGNORECASE
)


class LinkSubscription:
    """A subscription that is made again when a new connection has to be opened."""

    def __init__(self, link: Link, pattern: str, deliver: Deliver, lost: Lost | None) -> None:
        self.pattern = pattern
        self.lost = lost
        self.inner: LibrarySubscription | None = None
        self.deliver = deliver
        self.unhear: Callable[[], None] = _nothing
        self._link = link
        self._open = True

    def on_message(self, msg: Msg) -> None:
        if self._open:
            self.deliver(msg.subject, msg.data)

    async def close(self) -> None:
        if self._open:
            self._open = False
            await self._link.forget(self)


class Link:
    """One connection and its inbox. Belongs to the event loop it was opened on."""

    def __init__(self, address: addresses.Address, options: ConnectOptions) -> None:
        self.shown = address.shown
        self.inbox = Inbox(self.send, options.inbox)
        self._address = address
        self._options = options
        self._client: LibraryClient = new_client()
        self._ears = Ears()
        self._subscriptions: dict[LinkSubscription, None] = {}
        self._back: list[Callable[[], None]] = []
        self._connected = asyncio.Event()
        self._closing = False
        self._writer = Writer(self.shown, self._client, self._check)
        self.publish = self._writer.publish  # and no method, which is a call more for every message
        self._reopening: asyncio.Task[None] | None = None
        self._denied: dict[str, bool] = {}
        self._reason = "not opened"
        self._turn = 0

    # opening and closing --------------------------------------------------------------

    async def open(self) -> None:
        """Raises `InsecureAddress` or, within about two seconds, `ServerUnreachable`."""
        addresses.check(self._address, self._options)
        check_credentials(self._options)
        await self._dial()

    async def close(self) -> None:
        """Let what was published out and what came in be delivered, then disconnect."""
        if self._closing:
            return
        if self.is_connected:
            await self._settle()
        self._closing = True
        self._connected.clear()
        self._reason = "the connection was closed"
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        await self._writer.close()
        # The connection may be lost at this very moment, which is what is wanted.
        await self._abandon(self._client)
        self.inbox.interrupt()

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(2.0):
                await self.fence()
        except (TimeoutError, NotConnected):
            log.debug("%s: closed with messages still on their way", self.shown)

    async def _dial(self) -> None:
        client = new_client(encrypted=addresses.must_encrypt(self._address, self._options))
        dialling = asyncio.create_task(self._connect(client))
        try:
            # The library retries for two minutes whatever it is told, so time is kept here.
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.shield(dialling)
        except TimeoutError:
            await ended(dialling)
            await self._abandon(client)
            raise self._unreachable(client.last_error or TimeoutError("no answer")) from None
        except (OSError, LibraryError) as error:
            await self._abandon(client)
            raise self._unreachable(client.last_error or error) from None
        except asyncio.CancelledError:
            await ended(dialling)
            await self._abandon(client)
            raise
        self._client = client
        self._ears = Ears()
        listen_in(wire_of(client), self._ears)
        await self._resubscribe()
        self._writer.use(client)
        self._connected.set()

    async def _connect(self, client: LibraryClient) -> None:
        options = self._options

        def mine(event: Callable[[], None]) -> Callable[[], Any]:
            async def on_event() -> None:
                if client is self._client:
                    event()

            return on_event

        await client.connect(
            list(self._address.urls),
            error_cb=self._on_error,
            disconnected_cb=mine(self._on_disconnected),
            closed_cb=mine(self._on_closed),
            reconnected_cb=mine(self._on_reconnected),
            reconnect_to_server_handler=self._choose,
            name=options.name,
            allow_reconnect=True,
            connect_timeout=CONNECT_TIMEOUT,
            reconnect_time_wait=RECONNECT_WAIT,
            max_reconnect_attempts=-1,
            ping_interval=PING_INTERVAL,
            max_outstanding_pings=2,
            # Nothing is buffered while disconnected: it would be sent after what is sent again.
            pending_size=-1,
            tls=context(options, self._address.tls),
            user=options.user,
            password=options.password,
            token=options.token,
            user_credentials=options.credentials,
            nkeys_seed=options.nkey,
        )

    async def _abandon(self, client: LibraryClient) -> None:
        try:
            await shut(client)
        except (OSError, RuntimeError, LibraryError) as error:
            log.debug("%s: %s", self.shown, error)

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        reason = str(error).removeprefix("nats: ") or type(error).__name__
        hint = ""
        if isinstance(error, AuthorizationError) or "authorization" in reason.lower():
            reason, hint = "it refuses our credentials", "check user, password or .creds file"
        elif isinstance(error, NotEncrypted):
            hint = "let it require TLS; or is it another server than the one you mean?"
        elif isinstance(error, ssl.SSLError):
            hint = "name who signed its certificate in PAVANE_NATS_CA or ConnectOptions(ca=...)"
        return ServerUnreachable(self.shown, reason, hint=hint)

    def _choose(
        self, pool: list[PoolServer], _info: dict[str, Any]
    ) -> tuple[PoolServer | None, float]:
        """Where to reconnect. Servers advertise others, which may be less safe than they are."""
        if not self._options.allow_remote and not self._address.tls:
            pool = [s for s in pool if addresses.is_loopback(s.uri.hostname or "")] or pool[:1]
        drop_transport(self._client)
        self._turn += 1
        return pool[self._turn % len(pool)], RECONNECT_WAIT

    # what happens to the connection -----------------------------------------------------

    @property
    def version(self) -> str:
        """The server's, as it says."""
        version = self._client.connected_server_version
        return f"{version.major}.{version.minor}.{version.patch}"

    @property
    def max_payload(self) -> int:
        """The server's, in bytes; 0 before the first connection."""
        return self._writer.limit

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    async def connected(self, patience: float) -> None:
        """Wait until there is a connection; raises `NotConnected` after `patience` seconds, and
        at once when we closed it."""
        if self._connected.is_set():
            return
        if self._closing:
            raise self._gone()
        try:
            async with asyncio.timeout(patience):
                await self._connected.wait()
        except TimeoutError:
            raise self._gone() from None

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each reconnect; returns what stops that."""
        self._back.append(callback)
        return lambda: self._back.remove(callback)

    def _on_disconnected(self) -> None:
        self._connected.clear()
        self._reason = "the connection was cut"
        self._writer.forget()
        self.inbox.interrupt()
        if not self._closing:
            log.warning("%s: %s", self.shown, self._reason)
            self._tell_lost(self._reason)

    def _on_reconnected(self) -> None:
        listen_in(wire_of(self._client), self._ears)
        self._come_back()

    def _come_back(self) -> None:
        self._writer.use(self._client)
        self._connected.set()
        log.info("%s: connected again", self.shown)
        for callback in list(self._back):
            callback()

    def _on_closed(self) -> None:
        """The library gave up for good, as it does for most errors that a server reports."""
        self._connected.clear()
        self._writer.forget()
        if not self._closing and self._reopening is None:
            self._reason = str(self._client.last_error or "the server closed the connection")
            self._tell_lost(self._reason)
            self._reopening = asyncio.create_task(self._reopen(), name="pavane-reopen")

    async def _reopen(self) -> None:
        while True:
            try:
                await self._dial()
            except ServerUnreachable as error:
                self._reason = error.reason
                await asyncio.sleep(RECONNECT_WAIT * 5)
            else:
                self._reopening = None
                self._come_back()
                return

    async def _on_error(self, error: Exception) -> None:
        # Called by the library's reader: to raise here would end it.
        if denied := _DENIED.search(str(error)):
            subject = denied.group(2).lower()
            self._denied[subject] = True
            self.inbox.deny(subject, Forbidden(self.shown, str(error)))
            log.warning("%s: %s", self.shown, error)
        else:
            log.debug("%s: %s", self.shown, error)

    def _tell_lost(self, reason: str) -> None:
        for lost in [each.lost for each in self._subscriptions if each.lost is not None]:
            lost(reason)

    def _gone(self) -> NotConnected:
        return NotConnected(self.shown, self._reason)

    def _check(self) -> None:
        if not self._connected.is_set():
            raise self._gone()

    # sending ----------------------------------------------------------------------------

    def send(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        if len(payload) > self.max_payload:
            raise PayloadTooLarge(len(payload), self.max_payload)
        self._check()
        self._writer.send(subject, payload, reply, headers)

    def send_headed(
        self, subject: str, payload: bytes, reply: str, head: bytes, headers: dict[str, str]
    ) -> None:
        """As `send`, with `headers` also as they stand on the wire."""
        self._check()
        self._writer.send_headed(subject, payload, reply, head, headers)

    async def fence(self) -> None:
        """Return when the server has seen everything sent so far. Raises `NotConnected`."""
        try:
            await self.inbox.echo(_FENCE_TIMEOUT)
        except NoAnswer as error:
            raise NotConnected(self.shown, str(error)) from None

    # subscribing --------------------------------------------------------------------------

    async def subscribe(
        self, pattern: str, deliver: Deliver, lost: Lost | None
    ) -> LinkSubscription:
        await self.connected(_PATIENCE)
        subscription = LinkSubscription(self, pattern, deliver, lost)
        self._subscriptions[subscription] = None
        try:
            await self._attach(subscription)
            await self._fence_over_cuts()
            if self._denied.pop(pattern.lower(), False):
                raise Forbidden(self.shown, f"subscribe to {pattern}")
        except BaseException:
            await subscription.close()
            raise
        return subscription

    async def _fence_over_cuts(self) -> None:
        """As `fence`; what is subscribed when the connection is cut is so again on the next."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while True:
            try:
                return await self.fence()
            except NotConnected:
                if self._closing or loop.time() >= deadline:
                    raise
            await asyncio.sleep(_AGAIN)
            await self.connected(_PATIENCE)

    async def _attach(self, subscription: LinkSubscription) -> None:
        ears = self._ears
        tap = Tap(subscription.on_message)
        subscription.inner = inner = await self._client.subscribe(subscription.pattern, future=tap)
        number = number_of(inner)
        ears.delivers[number] = subscription.deliver
        subscription.unhear = partial(ears.drop, number)

    async def _resubscribe(self) -> None:
        """On a new connection: our inbox, and what there was before."""
        hear = self.inbox.on_message
        inbox = await self._client.subscribe(self.inbox.pattern, future=Tap(hear))
        self._ears.hears[number_of(inbox)] = hear
        for subscription in list(self._subscriptions):
            await self._attach(subscription)

    async def forget(self, subscription: LinkSubscription) -> None:
        self._subscriptions.pop(subscription, None)
        subscription.unhear()
        if subscription.inner is None or self._client.is_closed:
            return
        try:
            await subscription.inner.unsubscribe()
        except LibraryError as error:
            log.debug("%s: %s", self.shown, error)


def _nothing() -> None:
    """There is nothing to be undone."""
