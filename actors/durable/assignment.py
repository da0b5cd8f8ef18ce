"""A unit of work: a role, or a block of instances of a family, in one durable session."""

from __future__ import annotations

import msgspec

from .names import Place


class Assignment(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What a worker needs to know to play the instances `start` to `stop` (not included) of `role`.

    `fingerprint` is the protocol's. `bindings` are all counts. `input` is what `start` was
    given for the session, packed and sealed. `devices` are the identities of families that have them.
    `attempt` counts from 1 how often the unit was put on the queue, not how often it was taken.
    `trace` is the parent of its spans, if there is one.
    """

    namespace: str
    protocol: str
    fingerprint: bytes
    session: str
    role: str
    start: int = 0
    stop: int = 1
    bindings: dict[str, int] = {}
    input: bytes = b"\xc0"
    attempt: int = 1
    devices: dict[str, tuple[str, ...]] = {}
    trace: str = ""

    @property
    def place(self) -> Place:
        return Place(self.namespace, self.protocol, self.session)

    @property
    def name(self) -> str:
        """`Seller`, or `Workers[100..200]`; of a family of one, `Workers[0..1]`."""
        family = self.role in self.bindings or self.stop - self.start > 1 or self.start > 0
        return f"{self.role}[{self.start}..{self.stop}]" if family else self.role

    @property
    def topic(self) -> str:
        """What workers that can play it listen to: `Protocol.Role.fingerprint`."""
        return f"{self.protocol}.{self.role}.{self.fingerprint.hex()}"

    def pack(self) -> bytes:
        return _encoder.encode(self)


def unpacked(data: bytes) -> Assignment:
    """The assignment in `data`; raises `msgspec.MsgspecError` if it holds none."""
    return _decoder.decode(data)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Assignment)
