"""What a worker says of itself, to whoever wants to know."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ...broker.errors import FrameError

_Name = Annotated[str, msgspec.Meta(max_length=256)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Service(msgspec.Struct, array_like=True, frozen=True):
    """One role of one version of a protocol, and how many of its instances are played now.

    `fingerprint` is the version's, in hexadecimal; `lacks` are capabilities that steps of the role
    ask for and that the worker has not been granted.
    """

    protocol: _Name
    role: _Name
    fingerprint: _Name
    running: _Count = 0
    lacks: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=256)] = ()


class Announcement(msgspec.Struct, array_like=True, frozen=True):
    """One worker in one namespace. `since` is in seconds since 1970; `running` and `capacity`
    count instances in all its namespaces; one that is `leaving` takes nothing any more.
    `authority` is the public key that its capability tokens are signed with."""

    name: _Name
    namespace: _Name
    host: _Name
    pid: _Count
    since: float
    capacity: _Count
    running: _Count
    leaving: bool
    authority: Annotated[bytes, msgspec.Meta(max_length=64)]
    services: Annotated[tuple[Service, ...], msgspec.Meta(max_length=4096)] = ()


_decoder = msgspec.msgpack.Decoder(Announcement)


def encode(announcement: Announcement) -> bytes:
    return msgspec.msgpack.encode(announcement)


def decode(data: bytes) -> Announcement:
    """Raises `FrameError` for bytes that are none."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError("announcement", str(error)) from None
