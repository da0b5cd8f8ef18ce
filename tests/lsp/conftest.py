"""An editor: starts the installed command and speaks JSON-RPC with it over its pipes."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).parent / "pavane"
PATIENCE = 60.0
URI = "file:///market.choreo"


class Editor:
    """One conversation. `ask` waits for the answer; notifications that come meanwhile are kept."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [COMMAND, "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.text = ""
        self.version = 0
        self._count = 0
        self._notes: list[dict[str, Any]] = []
        self._arrived: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._errors: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._drain, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # --- the wire ---

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        length = 0
        while header := stream.readline():
            name, _, value = header.decode("ascii").partition(":")
            if name == "Content-Length":
                length = int(value)
            elif header == b"\r\n":
                self._arrived.put(json.loads(stream.read(length)))
            else:
                assert name == "Content-Type", f"not the protocol: {header!r}"
        self._arrived.put(None)

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self._errors += self.process.stderr.readlines()

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: object) -> None:
        body = json.dumps(message).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def receive(self) -> dict[str, Any]:
        message = self._arrived.get(timeout=PATIENCE)
        assert message is not None, f"the server ended: {self.errors()}"
        return message

    # --- messages ---

    def notify(self, method: str, params: object = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: object = None) -> int:
        self._count += 1
        self.send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})
        return self._count

    def answer(self, identity: int) -> dict[str, Any]:
        while (message := self.receive()).get("id") != identity:
            self._notes.append(message)
        return message

    def ask(self, method: str, params: object = None) -> Any:
        message = self.answer(self.request(method, params))
        assert "error" not in message, message
        return message["result"]

    def refusal(self, method: str, params: object = None) -> dict[str, Any]:
        message = self.answer(self.request(method, params))
        assert "error" in message, message
        error: dict[str, Any] = message["error"]
        return error

    def diagnostics(self) -> list[dict[str, Any]]:
        """Those of the version that the editor has now."""
        while True:
            message = self._notes.pop(0) if self._notes else self.receive()
            if message.get("method") == "textDocument/publishDiagnostics":
                params = message["params"]
                if params.get("version") == self.version:
                    found: list[dict[str, Any]] = params["diagnostics"]
                    return found

    # --- a document ---

    def initialize(self, **more: Any) -> dict[str, Any]:
        params: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
        params |= more
        result: dict[str, Any] = self.ask("initialize", params)
        self.notify("initialized", {})
        return result

    def open(self, text: str) -> None:
        self.text, self.version = text, self.version + 1
        document = {"uri": URI, "languageId": "choreo", "version": self.version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, *changes: dict[str, Any]) -> None:
        self.version += 1
        document = {"uri": URI, "version": self.version}
        params = {"textDocument": document, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", params)

    def position(self, words: str, plus: int = 0) -> dict[str, int]:
        """Where `words` first stand in the text, in UTF-16 units; `plus` characters further."""
        place = self.text.index(words) + plus
        line = self.text.count("\n", 0, place)
        before = self.text[self.text.rfind("\n", 0, place) + 1 : place]
        return {"line": line, "character": len(before.encode("utf-16-le")) // 2}

    def at(self, words: str, plus: int = 0, **more: Any) -> dict[str, Any]:
        """Parameters of a request about that place."""
        position = self.position(words, plus)
        return {"textDocument": {"uri": URI}, "position": position, **more}

    def slice(self, range_: dict[str, dict[str, int]]) -> str:
        """The text of a range."""
        start, end = (self._offset(range_[side]) for side in ("start", "end"))
        return self.text[start:end]

    def edited(self, edits: list[dict[str, Any]]) -> str:
        """The text after edits, as an editor makes them: from the last to the first."""
        text = self.text
        for edit in sorted(edits, key=lambda e: self._offset(e["range"]["start"]), reverse=True):
            start, end = (self._offset(edit["range"][side]) for side in ("start", "end"))
            text = text[:start] + edit["newText"] + text[end:]
        return text

    def _offset(self, position: dict[str, int]) -> int:
        lines = self.text.split("\n")
        units = lines[position["line"]].encode("utf-16-le")[: 2 * position["character"]]
        before = sum(len(line) + 1 for line in lines[: position["line"]])
        return before + len(units.decode("utf-16-le"))

    # --- the end ---

    def shut_down(self) -> int:
        assert self.ask("shutdown") is None
        self.notify("exit")
        return self.wait()

    def hang_up(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(timeout=PATIENCE)
        for thread in self._threads:
            thread.join(timeout=PATIENCE)
        return code

    def errors(self) -> str:
        return b"".join(self._errors).decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


@pytest.fixture
def fresh() -> Iterator[Callable[[], Editor]]:
    """Starts editors; each ends with the test."""
    started: list[Editor] = []

    def start() -> Editor:
        started.append(Editor())
        return started[-1]

    yield start
    for editor in started:
        editor.close()


@pytest.fixture
def editor(fresh: Callable[[], Editor]) -> Editor:
    """An editor whose server is initialized."""
    one = fresh()
    one.initialize()
    return one
