"""Protocol files: found, read, and refused with a sentence where they cannot be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..language.errors import Diagnostic, Span
from .errors import UsageError

SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes; above the language's own limit, so that its diagnostic is the one seen."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be opened or read, and why."""

    file: str
    error: UsageError


@dataclass(frozen=True, slots=True)
class Source:
    """A file as given on the command line and its text; `fault` says why it has none."""

    file: str
    text: str
    fault: Diagnostic | None = None


def read(file: str) -> Source:
    """Read one file, `-` being the standard input; raises `UsageError`, also for no text."""
    return _with_text(load(file))


def load(file: str) -> Source:
    """As `read`, but bytes that are no text are a fault of the source."""
    if file == "-":
        return _decoded("<stdin>", sys.stdin.buffer.read(SIZE_LIMIT))
    if file.endswith(".py"):
        raise UsageError(
            f"{file} is a Python module, and here the file of a protocol is wanted",
            hint="name the .choreo file that the module loads",
        )
    try:
        with open(file, "rb") as opened:
            data = opened.read(SIZE_LIMIT)
    except FileNotFoundError:
        raise UsageError(f"there is no file {file or repr(file)}", hint="check the path") from None
    except IsADirectoryError:
        inside = Path(file) / "*.choreo"
        raise UsageError(f"{file} is a directory", hint=f"name the files in it: {inside}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{file} cannot be read: {reason}", hint="check the path") from None
    return _decoded(file, data)


def read_all(files: list[str]) -> tuple[list[Source], list[Unreadable]]:
    """Read every file before anything is written, and say which cannot be read."""
    found, missing = list[Source](), list[Unreadable]()
    for file in files:
        try:
            found.append(load(file))
        except UsageError as error:
            missing.append(Unreadable(file, error))
    return found, missing


def decoded(file: str, data: bytes) -> Source:
    """The text of bytes that were read elsewhere; raises `UsageError`."""
    return _with_text(_decoded(file, data))


def _with_text(source: Source) -> Source:
    if source.fault is not None:
        raise UsageError(f"{source.file}: {source.fault.message}", hint=source.fault.hint)
    return source


def _decoded(file: str, data: bytes) -> Source:
    """Guessing at another encoding would check a text that nobody has written."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        before = error.object[: error.start].decode("utf-8")
        return Source(file, "", _no_text(f"the byte 0x{bad:02X} is not UTF-8", before))
    if (place := text.find("\0")) >= 0:
        return Source(file, "", _no_text("a zero byte is no character", text[:place]))
    return Source(file, text)


def _no_text(why: str, before: str) -> Diagnostic:
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Diagnostic(
        "PV102",
        "error",
        f"this is no text in UTF-8: {why}",
        Span(line, column, line, column + 1),
        "save the file as UTF-8, if it is a protocol",
    )
