"""NATS addresses, and which of them are safe to speak to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ..errors import BadAddress, InsecureAddress
from ..options import ConnectOptions

PORT = 4222


@dataclass(frozen=True, slots=True)
class Address:
    """`urls` are for the library and may hold a password; `shown` is for people and has none."""

    urls: tuple[str, ...]
    shown: str
    tls: bool
    credentials: bool
    hosts: tuple[str, ...]


def parse(url: str) -> Address:
    """`nats://[user[:password]@]host[:port],host[:port]`; `tls://` likewise."""
    scheme, _, rest = url.partition("://")
    hosts = [part.strip() for part in rest.rstrip("/").split(",")]
    splits = [_split(scheme, host, url) for host in hosts]
    shown = ",".join(f"{_bracketed(split.hostname or '')}:{split.port or PORT}" for split in splits)
    return Address(
        urls=tuple(f"{scheme}://{split.netloc}" for split in splits),
        shown=f"{scheme}://{shown}",
        tls=scheme == "tls",
        credentials=all(split.username for split in splits),
        hosts=tuple(split.hostname or "" for split in splits),
    )


def _split(scheme: str, host: str, url: str) -> SplitResult:
    # What stands before the @ may be a password and is not repeated.
    shown = f"{scheme}://...@{url.rpartition('@')[2]}" if "@" in url else url
    try:
        split = urlsplit(f"{scheme}://{host}")
        port = split.port
    except ValueError as error:
        raise BadAddress(shown, str(error)) from None
    if not split.hostname:
        raise BadAddress(shown, "it has no host")
    if split.path or split.query or split.fragment or port == 0:
        raise BadAddress(shown, "it is more than hosts and ports")
    return split


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """By name or number alone: what a name resolves to can change after it was asked."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def must_encrypt(address: Address, options: ConnectOptions) -> bool:
    """Whether a server that does not offer TLS is to hear nothing from us."""
    if address.tls or options.tls is not None:
        return True
    asked = options.ca is not None or options.certificate is not None
    return asked and not all(map(is_loopback, address.hosts))


def check(address: Address, options: ConnectOptions) -> None:
    """Raise `InsecureAddress` for a host beyond loopback without TLS and credentials."""
    if options.allow_remote or all(map(is_loopback, address.hosts)):
        return
    tls = address.tls or options.tls is not None
    if not tls:
        raise InsecureAddress(address.shown, "TLS")
    if not (address.credentials or options.has_credentials):
        raise InsecureAddress(address.shown, "credentials")
