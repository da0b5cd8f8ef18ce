"""The server's side of the pipe to the editor.

Messages are admitted here before pygls sees them: what is not JSON, not a request, or out of its
time gets the error that the protocol has for it, and nothing that arrives ends the server but the
end of the stream, `exit`, or a frame whose end cannot be found.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from typing import Any, Protocol, TypeGuard

from pygls.exceptions import JsonRpcException

from .frames import BrokenFrame, Frames

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INVALID_PARAMS = -32602
NOT_INITIALIZED = -32002

log = logging.getLogger(__name__)


class Endpoint(Protocol):
    """What handles admitted messages: the part of pygls that is used here."""

    def set_writer(self, writer: Any) -> None: ...
    def structure_message(self, data: dict[str, Any]) -> Any: ...
    def handle_message(self, message: Any) -> None: ...


class Pipe:
    """Writes whole messages to a descriptor; one that nobody reads any more ends the server."""

    def __init__(self, descriptor: int, gone: asyncio.Event) -> None:
        self._descriptor = descriptor
        self._gone = gone

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._gone.set()

    def close(self) -> None:
        self._gone.set()


class Channel:
    """One conversation with an editor."""

    def __init__(self, endpoint: Endpoint, source: int, sink: int) -> None:
        self._endpoint = endpoint
        self._frames = Frames(source)
        self._over = asyncio.Event()
        self._pipe = Pipe(sink, self._over)
        self._initialized = False
        self._shut_down = False

    async def run(self) -> int:
        """Serve until the editor ends it. The exit code: 0 after `shutdown`, 1 without it."""
        self._endpoint.set_writer(self._pipe)
        loop = asyncio.get_running_loop()
        reader = threading.Thread(target=self._read, args=(loop,), name="stdin", daemon=True)
        reader.start()
        await self._over.wait()
        return 0 if self._shut_down else 1

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: the next message is read when the one before has been taken up."""
        try:
            for body in self._frames:
                asyncio.run_coroutine_threadsafe(self._take(body), loop).result()
        except BrokenFrame as error:
            log.error("the connection is given up: %s", error)
        except OSError as error:
            log.error("the connection is lost: %s", error)
        finally:
            try:
                loop.call_soon_threadsafe(self._over.set)
            except RuntimeError:
                pass  # the loop has been closed: the conversation is over

    async def _take(self, body: bytes) -> None:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, PARSE_ERROR, "this is not JSON")
            return
        if not is_object(data) or not self._is_message(data):
            self._refuse(None, INVALID_REQUEST, "this is not a JSON-RPC 2.0 message")
            return
        self._message(data)

    def _is_message(self, data: dict[str, Any]) -> bool:
        identity = data.get("id", 0)
        return (
            data.get("jsonrpc") == "2.0"
            and isinstance(identity, int | str)
            and not isinstance(identity, bool)
            and (isinstance(data.get("method"), str) or "result" in data or "error" in data)
        )

    def _message(self, data: dict[str, Any]) -> None:
        method = data.get("method")
        if method is None:
            return  # an answer, and the server asks nothing
        if method == "exit":
            self._over.set()
        elif refused := self._untimely(method):
            self._refuse(data.get("id"), *refused)
        elif self._handled(data):
            self._initialized |= method == "initialize"
            self._shut_down |= method == "shutdown"

    def _untimely(self, method: str) -> tuple[int, str] | None:
        if self._shut_down:
            return INVALID_REQUEST, "the server has been shut down"
        if not self._initialized and method != "initialize":
            return NOT_INITIALIZED, "the server has not been initialized"
        if self._initialized and method == "initialize":
            return INVALID_REQUEST, "the server has been initialized before"
        return None

    def _handled(self, data: dict[str, Any]) -> bool:
        try:
            message = self._endpoint.structure_message(data)
        except JsonRpcException:
            # pygls has logged the reason.
            self._refuse(data.get("id"), INVALID_PARAMS, "the parameters do not fit the method")
            return False
        self._endpoint.handle_message(message)
        return True

    def _refuse(self, identity: int | str | None, code: int, sentence: str) -> None:
        """Requests and what cannot be read get an answer; a notification gets none."""
        if identity is None and code not in (PARSE_ERROR, INVALID_REQUEST):
            return
        error = {"code": code, "message": sentence}
        body = json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}).encode()
        self._pipe.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is an object; its keys are texts then."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def standard_streams() -> tuple[int, int]:
    """Descriptors of the input and the output. From now on the output is the protocol's alone:
    whatever else prints goes to the error stream."""
    sys.stdout.flush()
    sink = os.dup(1)
    os.dup2(2, 1)
    return 0, sink
