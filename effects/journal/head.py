"""The signed head of a writer's journal, kept in a second stream.

A server whose block file is damaged can forget the end of a stream and say nothing. So each
writer says now and then, elsewhere, how far it had come; a reader that finds less says so. It says so
too before its first entry, and at its end, so that nobody can add to a journal that is closed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from ..keys import Signer, is_signed

VERSION = 1


@dataclass(frozen=True, slots=True)
class Head:
    """The journal on `subject` had `count` entries, the last with `hash`.

    `unsent` are the numbers of `sent` entries that do not hold, so that a reader need not look
    ahead for their marks. `closed` says that its writer was done: who goes on after it says so first,
    by a head that is open.
    """

    subject: str
    count: int
    hash: bytes
    unsent: tuple[int, ...]
    signer: bytes
    signature: bytes
    closed: bool = False

    @property
    def is_signed(self) -> bool:
        body = _body(self.subject, self.count, self.hash, self.unsent, closed=self.closed)
        return is_signed(self.signer, body, self.signature)

    def doubt(self, trusted: Collection[bytes] | None) -> str:
        """Why it is not believed by whoever trusts these keys, or any; empty if it is."""
        if not self.is_signed:
            return "its head's signature does not fit"
        if trusted is not None and self.signer not in trusted:
            return f"its head is signed by a key that is not trusted: {self.signer.hex()}"
        return ""

    def says_more(self, before: Head) -> bool:
        """Whether it has to be said after `before`: a journal has grown, or is open again."""
        if self.count == before.count:
            return before.closed and not self.closed
        return self.count > before.count

    def pack(self) -> bytes:
        said = (self.count, self.hash, self.unsent, self.closed)
        return msgspec.msgpack.encode((VERSION, *said, self.signer, self.signature))


def signed(
    signer: Signer,
    subject: str,
    count: int,
    hash: bytes,
    unsent: tuple[int, ...],
    *,
    closed: bool = False,
) -> Head:
    signature = signer.sign(_body(subject, count, hash, unsent, closed=closed))
    return Head(subject, count, hash, unsent, signer.public, signature, closed)


def unpack(subject: str, data: bytes) -> Head:
    """The head that `data` says; raises `ValueError` whatever the bytes are."""
    version, count, last, unsent, closed, signer, signature = _decoder.decode(data)
    if version != VERSION:
        raise ValueError("not a journal head of this version")
    return Head(subject, count, last, unsent, signer, signature, closed)


def _body(subject: str, count: int, last: bytes, unsent: tuple[int, ...], *, closed: bool) -> bytes:
    return msgspec.msgpack.encode((VERSION, subject, count, last, unsent, closed))


_decoder = msgspec.msgpack.Decoder(tuple[int, int, bytes, tuple[int, ...], bool, bytes, bytes])
