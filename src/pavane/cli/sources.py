"""Protocol files: found, read, and refused with a sentence where they cannot be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError

SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes; above the language's own limit, so that its diagnostic is the one seen."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file as given on the command line and its text.

    Bytes that are not UTF-8 stand in the text as U+FFFD, which the language refuses with
    their place.
    """

    file: str
    text: str


def read(file: str) -> Source:
    """Read one file, `-` being the standard input; raises `UsageError`."""
    if file == "-":
        return Source("<stdin>", sys.stdin.buffer.read(SIZE_LIMIT).decode("utf-8", "replace"))
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
    return Source(file, data.decode("utf-8-sig", "replace"))


def read_all(files: list[str]) -> list[Source]:
    """Read every file before anything is written, so that a wrong name is seen at once."""
    return [read(file) for file in files]
