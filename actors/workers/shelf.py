"""The protocols of a namespace in all their versions, kept on the broker.

Who serves or starts a protocol puts its text there under its fingerprint. So a worker can play an
instance of a version that it was not written for, if its code fits, and an operator can see where
a session stands without its file.
"""

from __future__ import annotations

import msgspec

from ...broker.contract import Broker
from ...broker.errors import StreamRefused, WrongSequence
from ...language.compiler import Compiled, compile_text
from ...language.errors import ChoreographyError
from . import places
from .errors import UnknownVersion


class Edition(msgspec.Struct, array_like=True, frozen=True):
    """A file's text, in which the protocol is the one with the right fingerprint."""

    text: str
    file: str
    strict: bool


_decoder = msgspec.msgpack.Decoder(Edition)


class Shelf:
    """What this process has put on it or taken from it is remembered."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: dict[tuple[str, str, bytes], Compiled] = {}

    async def put(self, compiled: Compiled) -> None:
        """Keep this version, unless it is there already."""
        key = (compiled.namespace, compiled.name, compiled.fingerprint)
        if key in self._known:
            return
        stream = places.protocols(compiled.namespace)
        await self._broker.ensure_stream(stream, [places.protocol(compiled.namespace)])
        subject = places.protocol(*key)
        edition = Edition(compiled.text, compiled.file, compiled.strict)
        try:
            await self._broker.append(
                stream, subject, msgspec.msgpack.encode(edition), message_id=subject, expected=0
            )
        except WrongSequence:
            # It is there already, under whatever name its file had.
            pass
        self._known[key] = compiled

    async def get(self, namespace: str, name: str, fingerprint: bytes) -> Compiled:
        """The protocol in this version; raises `UnknownVersion`."""
        key = (namespace, name, fingerprint)
        if key not in self._known:
            self._known[key] = await self._fetched(namespace, name, fingerprint)
        return self._known[key]

    async def _fetched(self, namespace: str, name: str, fingerprint: bytes) -> Compiled:
        unknown = UnknownVersion(name, fingerprint)
        subject = places.protocol(namespace, name, fingerprint)
        try:
            record = await self._broker.last(places.protocols(namespace), subject)
        except StreamRefused:
            raise unknown from None
        if record is None:
            raise unknown
        try:
            edition = _decoder.decode(record.payload)
            found = compile_text(edition.text, edition.file, strict=edition.strict)
        except (msgspec.MsgspecError, ChoreographyError) as error:
            raise unknown from error
        for compiled in found:
            if compiled.fingerprint == fingerprint and compiled.name == name:
                return compiled
        raise unknown
