"""`pavane format`: protocol files in their canonical layout."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..language.errors import ChoreographyError
from ..language.format import format as laid_out
from .errors import Refused, UsageError
from .exits import verb
from .options import Files
from .screen import complaints, plural, say, show_diagnostic
from .sources import SIZE_LIMIT, decoded


def install(app: typer.Typer) -> None:
    app.command()(format)


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file, its text, and the text in canonical layout."""

    file: str
    text: str
    result: str

    @property
    def changed(self) -> bool:
        return self.text != self.result


@verb
def format(
    files: Files,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing but the differences.")
    ] = False,
) -> None:
    """Lay protocol files out in the one canonical way; comments stay where they are.

    Files are rewritten in place, if that changes them; `-` is formatted to the standard output.

    [dim]Examples:[/dim]
      pavane format *.choreo
      pavane format --check --diff *.choreo
    """
    read = [(file, _read(file)) for file in files]
    tried = [_try(file, text) for file, text in read]
    done = [one for one in tried if one is not None]
    changed = [one for one in done if one.changed]
    if diff:
        for one in changed:
            sys.stdout.write(_difference(one))
    for one in done:
        if not check and not diff:
            _write(one)
        elif check and one.changed:
            say(f"{one.file} would change", console=complaints())
    if len(done) < len(tried):
        raise Refused(f"{plural(len(tried) - len(done), 'file')} refused")
    if check and changed:
        raise Refused(f"{plural(len(changed), 'file')} would change")


def _read(file: str) -> str:
    """The text as it is; raises `UsageError` for what could not be written back as it was."""
    path = Path(file)
    try:
        data = sys.stdin.buffer.read(SIZE_LIMIT) if file == "-" else path.read_bytes()[:SIZE_LIMIT]
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{file} cannot be read: {reason}", hint="check the path") from None
    if len(data) >= SIZE_LIMIT:
        raise UsageError(f"{file} has {SIZE_LIMIT} bytes or more", hint="split the file")
    return decoded("<stdin>" if file == "-" else file, data).text


def _try(file: str, text: str) -> Formatted | None:
    name = "<stdin>" if file == "-" else file
    try:
        return Formatted(file, text, laid_out(text, name))
    except ChoreographyError as error:
        for diagnostic in error.diagnostics:
            show_diagnostic(diagnostic, text, name, complaints())
            say(console=complaints())
        return None


def _difference(one: Formatted) -> str:
    before, after = ([f"{line}\n" for line in t.split("\n")] for t in (one.text, one.result))
    return "".join(difflib.unified_diff(before, after, one.file, f"{one.file} (formatted)"))


def _write(one: Formatted) -> None:
    if one.file == "-":
        sys.stdout.write(one.result)
        sys.stdout.flush()
    elif one.changed:
        _replace(Path(one.file), one.result)
        say(Text.assemble(("formatted ", "bold green"), one.file))


def _replace(path: Path, text: str) -> None:
    """Write beside the file and rename, so that nobody ever sees half of it; a link stays a link,
    and the file keeps its rights."""
    target = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(text.encode())
                opened.flush()
                os.fsync(opened.fileno())
            Path(name).chmod(target.stat().st_mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "check the rights of its folder"
        raise UsageError(f"{path} cannot be written: {reason}", hint=hint) from None
