"""From an address to a connection."""

from __future__ import annotations

from .contract import Broker
from .errors import BadAddress
from .memory.hubs import join
from .options import ConnectOptions
from .subjects import token


async def connect(url: str, *, options: ConnectOptions | None = None) -> Broker:
    """Connect to `memory://[name]`, `nats://host:port[,host:port]`, `tls://...` or `embedded`.

    Connections to one memory name share it; without a name each is alone. `embedded` starts
    a nats-server that ends with the connection. Raises a `BrokerError` that says what to do.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        return join(token(rest.rstrip("/")) if rest.rstrip("/") else "")
    raise BadAddress(url, "its scheme is unknown")
