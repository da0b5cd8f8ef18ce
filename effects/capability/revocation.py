"""The revocation list: ids of tokens that are refused from now on, shared by all processes.

It is the stream `REVOCATIONS`, one record for each id, signed by the authority that issued the
token, so that nobody else takes a right away. A process reads it before its first guarded session
and follows it from then on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from ...broker.contract import Broker
from ...broker.errors import BrokerError
from ...broker.surroundings import now_ns
from ..errors import InvalidName, KeyRefused
from ..keys import Signer, digest, is_signed
from .biscuit import known_key
from .tokens import Key, PublicKey
from .verifier import Verifier

REVOCATIONS = "REVOCATIONS"
SUBJECT = "revocations.all"
REVOCATION_SUBJECTS = [SUBJECT]

RETRY = 0.5
"""Seconds until a list that could not be read on is tried again."""

ID = re.compile(r"[0-9a-f]{128}", re.ASCII)
"""Of a token's block: its signature. A part of one would revoke nothing."""

_Body = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Revocation:
    """`id` is that of a token's block; `time` is in ns since 1970."""

    id: str
    time: int
    reason: str


class Revocations:
    """The list on one broker; `close` it before the broker. `root` is the public key of the authority.
    Raises `KeyRefused` for what is no key."""

    def __init__(self, broker: Broker, root: PublicKey) -> None:
        known_key(root, "root")
        self._broker = broker
        self._root = root
        self._opening: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def revoke(self, ids: Iterable[str], key: Key, *, reason: str = "") -> None:
        """Refuse these ids everywhere, and all tokens narrowed from them; returns once it is
        stored. Raises `KeyRefused` unless `key` is the authority's, and `InvalidName` for what is
        no id; none is stored then."""
        self._require_authority(key)
        signer = Signer(key.seed)
        wanted = list(ids)
        for one in wanted:
            if not ID.fullmatch(one):
                raise InvalidName("revocation id", one, "an id has 128 hexadecimal digits")
        await self._ensure()
        for one in wanted:
            body: _Body = (one, now_ns(), reason[:200])
            record = _encode((body, signer.sign(_encode(body))))
            # By the id alone a stranger's record would keep the authority's out for a while.
            message_id = digest(record).hex()
            await self._broker.append(REVOCATIONS, SUBJECT, record, message_id=message_id)

    def _require_authority(self, key: Key) -> None:
        """What another signs would be stored, and heeded by nobody."""
        if key.public != self._root:
            raise KeyRefused(
                "the key that is to sign the revocation",
                "it is not that of the authority whose tokens are believed here",
                hint="sign with the secret key that `root` is the public key of",
            )

    async def list(self) -> tuple[Revocation, ...]:
        """What the authority has revoked, in order."""
        await self._ensure()
        read = [self._read(r.payload) async for r in self._broker.read(REVOCATIONS, SUBJECT)]
        return tuple(found for found in read if found is not None)

    async def watch(self, verifier: Verifier) -> None:
        """Have `verifier` refuse what is on the list, and what comes on it from now on."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._begin(verifier))
        await asyncio.shield(self._opening)

    async def _begin(self, verifier: Verifier) -> None:
        await self._ensure()
        start = await self._take(verifier, 1, follow=False)
        self._following = asyncio.create_task(self._follow(verifier, start))

    async def _follow(self, verifier: Verifier, start: int) -> None:
        while True:
            try:
                start = await self._take(verifier, start, follow=True)
            except BrokerError:
                await asyncio.sleep(RETRY)

    async def _take(self, verifier: Verifier, start: int, *, follow: bool) -> int:
        """Read on; the sequence that comes next."""
        found = self._broker.read(REVOCATIONS, SUBJECT, start=start, follow=follow)
        async for record in found:
            revocation = self._read(record.payload)
            if revocation is not None:
                verifier.revoke(revocation.id)
            start = record.sequence + 1
        return start

    def _read(self, payload: bytes) -> Revocation | None:
        """None for what the authority has not signed."""
        try:
            body, signature = _decode(payload)
        except msgspec.MsgspecError:
            return None
        return Revocation(*body) if is_signed(self._root, _encode(body), signature) else None

    async def _ensure(self) -> None:
        await self._broker.ensure_stream(REVOCATIONS, REVOCATION_SUBJECTS)

    async def close(self) -> None:
        for task in (self._opening, self._following):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[_Body, bytes]).decode
