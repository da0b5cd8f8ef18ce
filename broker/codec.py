"""What may be done to a payload between a role and the wire: encryption, above all.

A codec sees the packed payload of every message in both directions, whatever carries it, and what
a durable session stores besides. The journal has no payloads, and neither have logs, events and traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from .errors import CodecError


@dataclass(frozen=True, slots=True)
class About:
    """Which message a payload belongs to, as both sides know it. `sender` is an instance
    (`Followers[2]`), `receiver` a role.

    Of what else a durable session stores the receiver is `-`, and the label says what it is: the
    `input` of the session (the sender is `-`, too), `run 3` and `refusal 4` of an instance, its
    `value`."""

    namespace: str
    protocol: str
    session: str
    sender: str
    receiver: str
    label: str


class Codec(Protocol):
    """Both are called on the event loop, once for each message or record, and must not block.

    What `decode` raises ends the session as the sender's violation, and what `encode` raises
    reaches the role that sends. Neither should have the payload in its text.
    """

    def encode(self, payload: bytes, about: About) -> bytes: ...
    def decode(self, data: bytes, about: About) -> bytes: ...


class PayloadCipher:
    """XChaCha20-Poly1305 with the message's `About` as associated data: what was taken from
    another session, sender or label does not open.

    `keys` are 32 secret bytes each, by an id that stands in clear before the payload. `current`
    says with which to encrypt; the others open what is still on its way or stored. To rotate:
    give the new key to all, then make it current, then take the old one away. A payload grows
    by 42 bytes and the id.
    """

    VERSION = 1

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise ValueError(f"there is no key {current!r}")
        if any(len(key) != Aead.KEY_SIZE for key in keys.values()):
            raise ValueError(f"a key has {Aead.KEY_SIZE} bytes")
        if not all(0 < len(name.encode()) <= 255 for name in keys):
            raise ValueError("the id of a key has 1 to 255 bytes")
        self._boxes = {name.encode(): Aead(key) for name, key in keys.items()}
        name = current.encode()
        self._head = bytes((self.VERSION, len(name))) + name
        self._box = self._boxes[name]

    def encode(self, payload: bytes, about: About) -> bytes:
        return self._head + bytes(self._box.encrypt(payload, _associated(about)))

    def decode(self, data: bytes, about: About) -> bytes:
        """Raises `CodecError`, which does not say more than it has to."""
        if len(data) < 2 or data[0] != self.VERSION:
            raise CodecError("it is not encrypted")
        end = 2 + data[1]
        box = self._boxes.get(data[2:end])
        if box is None:
            raise CodecError("it is encrypted with a key that is not known here")
        try:
            return box.decrypt(data[end:], _associated(about))
        except (CryptoError, ValueError):
            raise CodecError("it does not open: altered, or meant for another place") from None

    def __repr__(self) -> str:
        return f"<PayloadCipher with {len(self._boxes)} keys>"


_encode = msgspec.msgpack.Encoder().encode


def _associated(about: About) -> bytes:
    # As an array, in which no two messages come to the same bytes.
    return _encode(
        (about.namespace, about.protocol, about.session, about.sender, about.receiver, about.label)
    )
