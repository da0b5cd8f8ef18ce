"""From an address to a connection."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from .contract import Broker
from .errors import BadAddress
from .memory.hubs import join
from .options import ConnectOptions, from_environment
from .subjects import token

EMBEDDED = "embedded"


async def connect(url: str, *, options: ConnectOptions | None = None) -> Broker:
    """Connect to `memory://[name]`, `nats://host:port[,host:port]`, `tls://...` or `embedded`.

    Connections to one memory name share it; without a name each is alone. `embedded` starts a
    nats-server that ends with the connection. What `options` leave open is taken from the
    environment, see `options.from_environment`. Raises a `BrokerError` that says what to do.
    """
    options = from_environment(options or ConnectOptions())
    scheme, separator, rest = url.partition("://")
    if url == EMBEDDED or (scheme == EMBEDDED and not rest):
        return await _embedded(options)
    if not separator:
        raise BadAddress(url, "it has no scheme")
    if scheme == "memory":
        name = rest.rstrip("/")
        return join(token(name) if name else "")
    if scheme in ("nats", "tls"):
        from .nats.broker import open_nats

        return await open_nats(url, options, AsyncExitStack())
    raise BadAddress(url, f"{scheme!r} is not a scheme that is known")


async def _embedded(options: ConnectOptions) -> Broker:
    # Imported here so that a program that stays in memory starts without them.
    from .embedded import Server
    from .nats.broker import open_nats

    store = None if options.store is None else Path(options.store)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            Server(port=options.port, store=store, sync=options.sync)
        )
        return await open_nats(server.url, options, stack)
