"""What is sent, on its way to the socket: a lone message at once, many of one turn together."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from ..errors import PayloadTooLarge
from ..subjects import check_subject
from .library import LibraryClient, run_now, socket_writer

log = logging.getLogger("pavane.broker")

CHUNK = 64 * 1024
"""Bytes that are written before the end of a turn: the server has something to do meanwhile, and what
is copied on the way stays near the processor."""

_END = b"\r\n"


def begun(subject: str) -> bytes:
    """How a message on `subject` begins on the wire, up to its size."""
    return f"PUB {subject} ".encode()


class Lines(dict[str, bytes]):
    """How messages begin, by their subjects, which are checked when they are first asked for."""

    LIMIT = 65_536

    def __missing__(self, subject: str) -> bytes:
        """Raises `InvalidSubject`."""
        check_subject(subject)
        if len(self) >= self.LIMIT:
            self.clear()
        line = self[subject] = begun(subject)
        return line


class Sizes(dict[int, bytes]):
    """The rest of a message's first line, by its size: most messages are of few sizes."""

    LIMIT = 16_384

    def __missing__(self, size: int) -> bytes:
        if len(self) >= self.LIMIT:
            self.clear()
        line = self[size] = b"%d\r\n" % size
        return line


Outgoing = tuple[str, bytes, str, dict[str, str] | None]


class Writer:
    """Of one connection, over all the clients of the library that it has one after the other. `check`
    raises where there is no connection. `limit` is the server's for a payload, in bytes."""

    def __init__(self, shown: str, client: LibraryClient, check: Callable[[], None]) -> None:
        self.limit = 0
        self._check = check
        self._lines = Lines()
        self._sizes = Sizes()
        self._shown = shown
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._straight: Callable[[bytes], None] | None = None
        self._sent = 0
        self._many = False
        self._gathers = False
        self._crowd: list[bytes] = []
        self._size = 0
        self._late: deque[Outgoing] = deque()
        self._task: asyncio.Task[None] | None = None

    def use(self, client: LibraryClient) -> None:
        """Write with `client`, which is connected, from now on."""
        self._client = client
        self._straight = socket_writer(client)
        self.limit = client.max_payload

    # `_gathers`: something went straight in this turn, and nothing by the library since. The connection
    # stands, as what is cut forgets.

    def forget(self) -> None:
        """The connection is cut: nothing of what waits is to be sent on the next one."""
        self._late.clear()
        self._crowd.clear()
        self._gathers = False

    async def close(self) -> None:
        self._disperse()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def publish(self, subject: str, payload: bytes) -> None:
        """Goes out within a turn of the loop. Raises `InvalidSubject`, `PayloadTooLarge`, and what
        `check` does."""
        line = self._lines[subject]
        size = len(payload)
        if size > self.limit:
            raise PayloadTooLarge(size, self.limit)
        if self._gathers:
            self._sent += 1
            self._crowd.extend((line, self._sizes[size], payload, _END))
            self._size += size
            if self._size >= CHUNK:
                self._let_go()
        else:
            self._check()
            self.send(subject, payload, "", None)

    def send(
        self, subject: str, payload: bytes, reply: str, headers: dict[str, str] | None
    ) -> None:
        """Hand a message over; never waits. What fails is lost, as with a cut connection."""
        plain = not reply and headers is None
        if self._task is not None:
            self._late.append((subject, payload, reply, headers))
            return
        try:
            if plain and self._goes_straight():
                self._write(begun(subject), payload, self._sizes[len(payload)])
                return
            self._disperse()
            rest = run_now(self._client.publish(subject, payload, reply, headers))
        except Exception as error:  # noqa: BLE001 (whatever the library raises)
            self._not_sent(subject, error)
            return
        if rest is not None:
            self._task = asyncio.create_task(self._finish(subject, rest), name="pavane-writer")

    def send_headed(
        self, subject: str, payload: bytes, reply: str, head: bytes, headers: dict[str, str]
    ) -> None:
        """As `send`, with the headers also as they stand on the wire, `head`: the library looks
        at each of their letters before it writes them."""
        if self._task is None and self._goes_straight():
            size = len(head)
            line = f"HPUB {subject} {reply} {size} {size + len(payload)}\r\n".encode()
            self._write(line, payload, head)
        else:
            self.send(subject, payload, reply, headers)

    def _goes_straight(self) -> bool:
        """Whether nothing waits in the library that has to go before."""
        client = self._client
        return self._straight is not None and not client.pending_data_size and client.is_connected

    def _write(self, line: bytes, payload: bytes, rest: bytes) -> None:
        """What is said in one turn of the loop goes at its end, in one call of the system, unless it is
        much. But where the last turn in which something was said had a single message, the first
        goes at once. `rest` is what stands between `line` and the payload."""
        self._sent += 1
        self._gathers = True
        if self._sent == 1:
            self._loop.call_soon(self._turned)
            if not self._many and self._straight is not None:
                self._straight(b"".join((line, rest, payload, _END)))
                return
        self._crowd.extend((line, rest, payload, _END))
        self._size += len(payload)
        if self._size >= CHUNK:
            self._let_go()

    def _let_go(self) -> None:
        """Write what was gathered."""
        crowd, self._crowd = self._crowd, []
        self._size = 0
        if crowd and self._straight is not None:
            self._straight(b"".join(crowd))

    def _disperse(self) -> None:
        self._gathers = False
        self._let_go()

    def _turned(self) -> None:
        """A turn of the loop is over."""
        self._disperse()
        self._many = self._sent > 1
        self._sent = 0

    async def _finish(self, subject: str, rest: Awaitable[None]) -> None:
        """Finish a publish that had to wait, and then what was to be sent after it. As the
        library is used here none has to, in any of the versions that we know."""
        while True:
            try:
                await rest
            except Exception as error:  # noqa: BLE001 (the writer must live)
                self._not_sent(subject, error)
            if not self._late:
                self._task = None
                return
            subject, payload, reply, headers = self._late.popleft()
            rest = self._client.publish(subject, payload, reply, headers)

    def _not_sent(self, subject: str, error: Exception) -> None:
        # Cut in the middle: `lost` is told, and requests are repeated by who waits.
        log.debug("%s: not sent to %s: %s", self._shown, subject, error)
