"""Where the command line writes: results to the standard output, complaints to the other.

Rich leaves colour out for `NO_COLOR`, a dumb terminal and a pipe; lines are never broken
when they go to a pipe, so that grep and diff see them whole.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from typing import Any

from rich.console import Console
from rich.text import Text

from ..language.errors import ChoreographyError, Diagnostic, PavaneError

HEADING = re.compile(r"^(error|warning|note)(\[PV\d+\])?:")
COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


class Screen(Console):
    """A console that lets its user know when the reader of its pipe has gone."""

    def on_broken_pipe(self) -> None:
        """Rich itself would raise SystemExit, which nobody in an event loop may catch."""
        raise BrokenPipeError


@cache
def output() -> Console:
    """The console of results."""
    return Screen(highlight=False)


@cache
def complaints() -> Console:
    """The console of what went wrong."""
    return Screen(stderr=True, highlight=False)


def say(*parts: str | Text, console: Console | None = None) -> None:
    """Write one line without breaking it or reading markup into it."""
    target = console or output()
    if target.color_system is None:
        # A journal may have a million lines, and Rich takes 60 us for each.
        target.file.write("".join(map(str, parts)) + "\n")
    else:
        target.print(*parts, soft_wrap=True, markup=False, sep="")


def write_json(value: Any) -> None:
    """One JSON document on the standard output, without colour."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not _is_unicode()) + "\n")
    sys.stdout.flush()


def write_json_line(value: Any, *, live: bool = True) -> None:
    """One JSON value on one line; if `live` at once, so that a reader of the pipe sees it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=not _is_unicode(), default=str) + "\n")
    if live:
        sys.stdout.flush()


def _is_unicode() -> bool:
    """Whether the standard output can write every character as it is."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def complain(error: PavaneError, message: str = "") -> None:
    """An error as a sentence, its own or a shorter `message`, and what to do about it."""
    said = message or error.message
    code = error.code
    if isinstance(error, ChoreographyError) and error.diagnostics:
        code = error.diagnostics[0].code
    heading = Text.assemble(("error", "bold red"), (f"[{code}]", "red"), ": ", said)
    tell(heading, console=complaints())
    if error.hint:
        tell(Text.assemble(("  help: ", "green"), error.hint), console=complaints())


def tell(line: str | Text, *, console: Console | None = None) -> None:
    """A sentence of any length; on a terminal it breaks between words."""
    target = console or output()
    if target.is_terminal:
        target.print(line, markup=False)
    else:
        say(line, console=target)


def show_diagnostic(
    diagnostic: Diagnostic, text: str, file: str, console: Console | None = None
) -> None:
    """A diagnostic with its source line and caret, in colour where that is possible; without
    them where there is no text."""
    from ..language.render_diagnostic import render

    lines = render(diagnostic, text, file).split("\n")
    rendered = "\n".join(lines if text else [*lines[:2], *lines[-1:]])
    say(coloured(rendered), console=console)


def coloured(rendered: str) -> Text:
    """The plain rendering of a diagnostic with colours laid over it; the text stays the same."""
    text = Text(rendered)
    if heading := HEADING.match(rendered):
        text.stylize(COLOURS[heading[1]], 0, heading.end() - 1)
    text.highlight_regex(r"(?m)^\s*-->.*$", "cyan")
    text.highlight_regex(r"(?m)^\s*\d*\s*\|\s+\^+.*$", "red")
    text.highlight_regex(r"(?m)^\s*(= )?(help|hint):", "green")
    return text


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
