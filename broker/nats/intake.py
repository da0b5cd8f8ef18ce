"""What a server sends, on its way in: messages go from the socket straight to who listens.

The library reads in a task of its own, over two buffers, and makes a coroutine and an object for
each message. Here a message is cut out of what the socket gave, and handed over at once: 2 us
less, and a turn of the event loop. Whatever else a server says (PING, PONG, INFO, an error), and
a message for a subscription that is not known here, goes on to the library as it came. So the
library keeps the connection; and if it is not built as we know it, it reads as it always did.
"""

from __future__ import annotations

import asyncio

from ..contract import Deliver
from .library import Headed, OnMessage, Wire, say_aloud

_END = b"\r\n"
_LINE = 1 << 20
"""Bytes without the end of a line that are still waited for."""

_KNOWN = 16_384
"""First lines of messages of which it is kept who hears them."""


class Ears:
    """Who listens on one connection, by the number that the library gave the subscription.

    `delivers` are those who need no more of a message than subject and content. `known` has one of
    them, the subject and the size by the first line of a message: on a subject where something was
    said, more is likely to come, and most of it is of few sizes.
    """

    __slots__ = ("delivers", "hears", "known")

    def __init__(self) -> None:
        self.delivers: dict[bytes, Deliver] = {}
        self.hears: dict[bytes, OnMessage] = {}
        self.known: dict[bytes, tuple[Deliver, str, int]] = {}

    def know(self, line: bytes) -> tuple[Deliver, str, int] | None:
        """Who needs no more of a message whose first line is `line`, its subject and its size."""
        words = line.split(b" ")
        if len(words) != 4 or words[0] != b"MSG" or not words[3].isdigit():
            return None
        deliver = self.delivers.get(words[2])
        if deliver is None:
            return None
        try:
            subject = words[1].decode()
        except UnicodeDecodeError:
            return None
        if len(self.known) >= _KNOWN:
            self.known.clear()
        found = self.known[line] = (deliver, subject, int(words[3]))
        return found

    def drop(self, number: bytes) -> None:
        self.delivers.pop(number, None)
        self.hears.pop(number, None)
        self.known.clear()


class Intake(asyncio.Protocol):
    """Between the socket of one connection and the library's own protocol."""

    def __init__(self, wire: Wire, ears: Ears) -> None:
        self._wire = wire
        self._library = wire.protocol
        self._ears = ears
        self._passes = True
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = 0
        wire.divert(self)

    # --- what the event loop says ----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._passes:
            # The library may have the beginning of something whose end this is.
            if not self._wire.is_between():
                self._library.data_received(data)
                return
            self._passes = False
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return
            # What is behind the message that was waited for stays where it is.
            beyond = self._size - self._needed if self._needed else 0
            begun = data[: len(data) - beyond]
            self._parts[-1] = begun
            whole = b"".join(self._parts)
            self._parts.clear()
            self._read(whole, 0)
            if beyond:
                self._read(data, len(begun))
            return
        self._read(data, 0)

    def eof_received(self) -> bool | None:
        return self._library.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._library.connection_lost(exc)

    def pause_writing(self) -> None:
        self._library.pause_writing()

    def resume_writing(self) -> None:
        self._library.resume_writing()

    # --- reading ---------------------------------------------------------------------------

    def _read(self, data: bytes, at: int) -> None:
        """Hand over all that is whole in `data` from `at` on, where something begins."""
        ears = self._ears
        known = ears.known
        end = len(data)
        while at < end:
            line = data.find(_END, at)
            if line < 0:
                self._keep(data, at, 0)
                return
            first = data[at:line]
            heard = known.get(first) or ears.know(first)
            if heard is None:
                after = self._read_rarer(data, at, line)
            else:
                deliver, subject, size = heard
                start = line + 2
                stop = start + size
                after = stop + 2
                if after <= end:
                    try:
                        deliver(subject, data[start:stop])
                    except Exception as error:  # noqa: BLE001 (the connection must live)
                        say_aloud(subject, error)
            if after > end:
                self._keep(data, at, after - at)
                return
            at = after

    def _read_rarer(self, data: bytes, at: int, line: int) -> int:
        """Read what is not the plainest of messages. Returns where it ends, which is beyond the end
        of `data` if there is more to come, and then nothing has happened."""
        words = data[at:line].split(b" ")
        headed = words[0] == b"HMSG"
        if not headed and words[0] != b"MSG":
            self._library.data_received(data[at : line + 2])
            return line + 2
        sizes = words[-1 - headed :]
        if len(words) - headed not in (4, 5) or not all(size.isdigit() for size in sizes):
            # It may mean something to the library.
            self._library.data_received(data[at:])
            self._passes = True
            return len(data)
        start = line + 2
        stop = start + int(sizes[-1])
        if stop + 2 <= len(data):
            body = start + int(sizes[0]) if headed else start
            reply = words[3] if len(words) - headed == 5 else b""
            if not self._hand_over(words, reply, data[start:body], data[body:stop]):
                self._library.data_received(data[at : stop + 2])
        return stop + 2

    def _hand_over(self, words: list[bytes], reply: bytes, head: bytes, body: bytes) -> bool:
        """Whether somebody here listens to it."""
        deliver, hear = self._ears.delivers.get(words[2]), self._ears.hears.get(words[2])
        try:
            subject = words[1].decode()
            if deliver is not None:
                deliver(subject, body)
            elif hear is not None:
                hear(Headed(subject, reply.decode(), body, head))
            else:
                return False
        except Exception as error:  # noqa: BLE001 (the connection must live)
            say_aloud(words[1].decode(errors="replace"), error)
        return True

    def _keep(self, data: bytes, at: int, needed: int) -> None:
        """Wait for the rest of what begins at `at`, `needed` bytes in all; 0 if it does not say."""
        rest = data[at:]
        if not needed and len(rest) > _LINE:
            self._library.data_received(rest)
            self._passes = True
            return
        self._parts.append(rest)
        self._size = len(rest)
        self._needed = needed


def listen_in(wire: Wire | None, ears: Ears) -> None:
    """Read what comes over `wire` from now on, if there is one."""
    if wire is not None:
        Intake(wire, ears)
