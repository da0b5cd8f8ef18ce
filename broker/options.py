"""How to connect: what an address alone does not say."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .contract import DEDUPE_WINDOW
from .errors import BadAddress
from .subjects import token

INBOX = "_INBOX"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a stream keeps its records; the defaults forget nothing by themselves.

    `age` is the seconds after which a record goes, `size` the bytes that there may be, 0 for no
    bound. A full stream refuses what is new, unless it `forgets` what is oldest. `replicas` and
    `window`, the seconds that a message id is known for, are 0 for the connection's. With
    `memory` nothing is written to disk, and nothing outlasts the server.
    """

    age: float = 0.0
    size: int = 0
    forgets: bool = False
    replicas: int = 0
    window: float = 0.0
    memory: bool = False

    def __post_init__(self) -> None:
        if self.window and self.window < DEDUPE_WINDOW:
            raise BadAddress(f"window={self.window:g}", f"it is at least {DEDUPE_WINDOW:g} s")


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Credentials are one of: a `.creds` file, an nkey seed file, user and password, a token.

    `ca` is a file of certificates to trust; `tls` a whole context, which overrules it.
    `certificate` and `certificate_key` are files for servers that want to see one from us.
    `inbox` is what the subjects of answers begin with, so that permissions can tell them apart.
    `scoped` is for credentials with permissions as `pavane permissions` prints them: nothing is
    asked that reaches further, and streams have to be there. By default, whoever has an inbox of his own.
    `allow_remote` permits an address beyond loopback without TLS or credentials.
    `replicas` is for the streams that are created: 3 where the servers are a cluster.
    `keeping` says how streams are kept that are created, by the first word of their names:
    `{"SESSIONS": Keeping(size=10 << 30)}`.
    `store`, `port` and `sync` are for `embedded`: a directory that is kept, a fixed port, and the
    seconds between two writes to the disk (0: before each acknowledgement).
    """

    name: str = "pavane"
    tls: ssl.SSLContext | None = None
    ca: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    credentials: str | None = None
    nkey: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    inbox: str = INBOX
    scoped: bool | None = None
    allow_remote: bool = False
    replicas: int = 1
    keeping: Mapping[str, Keeping] = field(default_factory=lambda: {"SESSIONS": Keeping()})
    store: str | None = None
    port: int | None = None
    sync: float | None = None

    @property
    def has_credentials(self) -> bool:
        return any((self.credentials, self.nkey, self.user, self.token, self.certificate))

    @property
    def is_scoped(self) -> bool:
        return self.inbox != INBOX if self.scoped is None else self.scoped


def from_environment(
    options: ConnectOptions, environment: Mapping[str, str] = os.environ
) -> ConnectOptions:
    """`options`, with what they leave open taken from PAVANE_NATS_CREDS, PAVANE_NATS_NKEY,
    PAVANE_NATS_USER, PAVANE_NATS_PASSWORD, PAVANE_NATS_TOKEN, PAVANE_NATS_CA,
    PAVANE_NATS_CERT, PAVANE_NATS_CERT_KEY, PAVANE_NATS_INBOX, PAVANE_ALLOW_REMOTE=1 and
    PAVANE_REPLICAS."""
    if not options.has_credentials:
        options = replace(
            options,
            credentials=environment.get("PAVANE_NATS_CREDS"),
            nkey=environment.get("PAVANE_NATS_NKEY"),
            user=environment.get("PAVANE_NATS_USER"),
            password=environment.get("PAVANE_NATS_PASSWORD"),
            token=environment.get("PAVANE_NATS_TOKEN"),
        )
    return replace(
        options,
        ca=options.ca or environment.get("PAVANE_NATS_CA"),
        certificate=options.certificate or environment.get("PAVANE_NATS_CERT"),
        certificate_key=options.certificate_key or environment.get("PAVANE_NATS_CERT_KEY"),
        inbox=_inbox(options.inbox, environment.get("PAVANE_NATS_INBOX")),
        allow_remote=options.allow_remote or environment.get("PAVANE_ALLOW_REMOTE") == "1",
        replicas=_replicas(environment.get("PAVANE_REPLICAS"), options.replicas),
    )


def _inbox(chosen: str, given: str | None) -> str:
    if chosen != INBOX or not given:
        return chosen
    for name in given.split("."):
        token(name)
    return given


def _replicas(text: str | None, chosen: int) -> int:
    if chosen != 1 or not text:
        return chosen
    if text not in ("1", "2", "3", "4", "5"):
        raise BadAddress(f"PAVANE_REPLICAS={text}", "a stream has 1 to 5 replicas")
    return int(text)
