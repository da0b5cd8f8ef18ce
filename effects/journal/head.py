"""The signed head of a writer's journal, kept in a second stream.

A server whose block file is damaged can forget the end of a stream and say nothing. So each
writer says now and then, elsewhere, how far it had come; a reader that finds less says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..keys import Signer, is_signed

VERSION = 1


@dataclass(frozen=True, slots=True)
class Head:
    """The journal on `subject` had `count` entries, the last with `hash`.

    `unsent` are the numbers of `sent` entries that do not hold, so that a reader need not look
    ahead for their marks.
    """

    subject: str
    count: int
    hash: bytes
    unsent: tuple[int, ...]
    signer: bytes
    signature: bytes

    @property
    def is_signed(self) -> bool:
        body = _body(self.subject, self.count, self.hash, self.unsent)
        return is_signed(self.signer, body, self.signature)

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(
            (VERSION, self.count, self.hash, self.unsent, self.signer, self.signature)
        )


def signed(signer: Signer, subject: str, count: int, hash: bytes, unsent: tuple[int, ...]) -> Head:
    signature = signer.sign(_body(subject, count, hash, unsent))
    return Head(subject, count, hash, unsent, signer.public, signature)


def unpack(subject: str, data: bytes) -> Head:
    """The head that `data` says; raises `ValueError` whatever the bytes are."""
    version, count, last, unsent, signer, signature = _decoder.decode(data)
    if version != VERSION:
        raise ValueError("not a journal head of this version")
    return Head(subject, count, last, unsent, signer, signature)


def _body(subject: str, count: int, last: bytes, unsent: tuple[int, ...]) -> bytes:
    return msgspec.msgpack.encode((VERSION, subject, count, last, unsent))


_decoder = msgspec.msgpack.Decoder(tuple[int, int, bytes, tuple[int, ...], bytes, bytes])
