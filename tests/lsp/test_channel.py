"""The pipe: garbage, wrong times, the end. The server answers what can be answered and lives on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from pavane.lsp.frames import BODY_LIMIT, BrokenFrame, Frames

from .conftest import Editor

GARBAGE = {
    "no json": (b"{nonsense", -32700),
    "not utf-8": (b"\xff\xfe\xfa\xfb", -32700),
    "too deep": (b"[" * 100_000, -32700),
    "huge number": (b'{"jsonrpc": "2.0", "id": ' + b"9" * 10_000 + b"}", -32700),
    "a list": (b"[]", -32600),
    "a text": (b'"hover"', -32600),
    "no version": (b'{"id": 1, "method": "shutdown"}', -32600),
    "an id that is none": (b'{"jsonrpc": "2.0", "id": {}, "method": "shutdown"}', -32600),
    "no method": (b'{"jsonrpc": "2.0", "id": 1}', -32600),
    "a method that is none": (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
}


def test_garbage_is_refused_and_the_server_lives_on(editor: Editor) -> None:
    for name, (body, code) in GARBAGE.items():
        editor.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        refused = editor.receive()
        assert (name, refused["error"]["code"], refused["id"]) == (name, code, None)
    assert editor.shut_down() == 0


PARAMETERS: dict[str, Any] = {
    "none": None,
    "a number": 7,
    "empty": {},
    "wrong inside": {"textDocument": 3, "position": {"line": "x"}},
    "no position": {"textDocument": {"uri": "file:///a"}},
}


def test_wrong_parameters_are_refused(editor: Editor) -> None:
    for name, params in PARAMETERS.items():
        assert editor.refusal("textDocument/hover", params)["code"] == -32602, name
    assert editor.shut_down() == 0


def test_an_unknown_method_is_refused_and_an_unknown_note_passed_over(editor: Editor) -> None:
    editor.notify("textDocument/didDance", {"x": 1})
    assert editor.refusal("textDocument/dance", {})["code"] == -32601


def test_places_far_outside_the_text_are_no_error(editor: Editor) -> None:
    editor.open("protocol P { roles: A, B; A -> B: M; }")
    document = {"uri": "file:///market.choreo"}
    for line, character in ((10**6, 0), (0, 10**6), (2**31 - 1, 2**31 - 1)):
        position = {"line": line, "character": character}
        params = {"textDocument": document, "position": position}
        assert editor.ask("textDocument/hover", params) is None
    assert editor.ask("textDocument/hover", {
        "textDocument": {"uri": "file:///other"}, "position": {"line": 0, "character": 0}
    }) is None  # fmt: skip


def test_nothing_is_answered_before_initialize_nor_after_shutdown(
    fresh: Callable[[], Editor],
) -> None:
    editor = fresh()
    assert editor.refusal("textDocument/hover", {})["code"] == -32002
    editor.notify("textDocument/didOpen", {})
    editor.initialize()
    assert editor.refusal("initialize", {"capabilities": {}})["code"] == -32600
    assert editor.ask("shutdown") is None
    assert editor.refusal("textDocument/hover", {})["code"] == -32600
    editor.notify("exit")
    assert editor.wait() == 0


def test_exit_without_shutdown_is_a_failure(editor: Editor) -> None:
    editor.notify("exit")
    assert editor.wait() == 1


def test_a_closed_input_ends_the_server(fresh: Callable[[], Editor]) -> None:
    untouched, begun, half = fresh(), fresh(), fresh()
    begun.initialize()
    half.send_bytes(b"Content-Length: 100\r\n\r\n{")
    assert [e.hang_up() for e in (untouched, begun, half)] == [1, 1, 1]
    assert begun.errors() == ""


def test_the_input_closes_during_a_long_check(editor: Editor) -> None:
    """A thread that still computes does not keep the process alive."""
    send = "A -> B: M;\nB -> A: N;\n"
    editor.open("protocol P { roles: A, B;\n" + send * 20_000 + "}")
    editor.request("textDocument/hover", {
        "textDocument": {"uri": "file:///market.choreo"}, "position": {"line": 0, "character": 0}
    })  # fmt: skip
    assert editor.hang_up() == 1


def test_a_frame_without_an_end_is_given_up(fresh: Callable[[], Editor]) -> None:
    editor = fresh()
    editor.send_bytes(b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1))
    assert editor.wait() == 1
    assert "given up" in editor.errors()


def frames(data: bytes) -> list[bytes]:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        return list(Frames(reading))
    finally:
        os.close(reading)


def test_lines_that_are_no_headers_are_passed_over() -> None:
    assert frames(b"hello\n\r\nX: 1\r\ncontent-length:2\r\nContent-Type: x\r\n\r\n{}") == [b"{}"]
    assert frames(b"Content-Length: 2\n\n{}Content-Length: 1\r\n\r\n1") == [b"{}", b"1"]
    assert frames(b"Content-Length: 0\r\n\r\n") == [b""]
    assert frames(b"Content-Length: 5\r\n\r\n{}") == []
    assert frames(b"Content-Length: -5\r\n\r\n") == []


def test_a_header_has_an_end() -> None:
    with pytest.raises(BrokenFrame, match="header"):
        frames(b"x" * 60_000)


def test_nothing_but_the_protocol_is_written(editor: Editor) -> None:
    """`Editor` itself refuses any other line; here, that what libraries print goes elsewhere."""
    editor.open(json.dumps({"not": "a protocol"}))
    assert [d["code"] for d in editor.diagnostics()] != []
    editor.notify("textDocument/didChange", {"textDocument": 3})
    assert editor.shut_down() == 0
    assert "Unable to deserialize" in editor.errors()
