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
from .escapes import in_lines, printable

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
    sys.stdout.write(_encoded(value, indent=2) + "\n")
    sys.stdout.flush()


def write_json_line(value: Any, *, live: bool = True) -> None:
    """One JSON value on one line; if `live` at once, so that a reader of the pipe sees it."""
    sys.stdout.write(_encoded(value, default=str) + "\n")
    if live:
        sys.stdout.flush()


def _encoded(value: Any, **how: Any) -> str:
    """As JSON, which has no word for what is no finite number: `null` stands in its place."""
    strict: dict[str, Any] = {"allow_nan": False, "ensure_ascii": not _is_unicode(), **how}
    try:
        return json.dumps(value, **strict)
    except ValueError:
        loose = json.dumps(value, default=how.get("default"))
        return json.dumps(json.loads(loose, parse_constant=lambda _: None), **strict)


def _is_unicode() -> bool:
    """Whether the standard output can write every character as it is."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def complain(error: PavaneError, message: str = "") -> None:
    """An error as a sentence, its own or a shorter `message`, and what to do about it."""
    said = message or error.message
    code = error.code
    if isinstance(error, ChoreographyError) and error.diagnostics:
        code = error.diagnostics[0].code
    heading = Text.assemble(("error", "bold red"), (f"[{code}]", "red"), ": ", in_lines(said))
    tell(heading, console=complaints())
    if error.hint:
        tell(Text.assemble(("  help: ", "green"), in_lines(error.hint)), console=complaints())


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


def shown(*texts: str) -> tuple[Text, ...]:
    """What others have written, as cells of a table: nothing in it is markup, or moves the cursor."""
    return tuple(Text(printable(text)) for text in texts)


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
