"""Two journals against each other, and one in a file: `compare`, `merge` and `export`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from rich.text import Text

from ..effects.journal.history import archive, tables
from ..effects.journal.history.comparison import Comparison, Relation
from ..effects.journal.history.selection import pattern
from ..effects.journal.history.union import Joined
from .attest import refuse_damage
from .errors import RunFailed, UsageError
from .journals import Book, Place, Query, opened
from .loop import play
from .screen import plural, say, write_json

FORMATS = ("jsonl", "csv", "parquet")

SHOWN = 20
"""How many writers that differ are shown to people; `--json` has them all."""


def compare(place: Place, source: Place, query: Query, *, join: bool, json: bool) -> None:
    """How the journal stands to another, and with `join` also add what it lacks."""
    place.check()

    async def main() -> None:
        async with opened(place, new=join) as ours, opened(source) as theirs:
            if join:
                await _join(ours, theirs, query, json)
            else:
                found = await ours.history.compare(theirs.history, **query.writers())
                _report(found, None, json)

    play(main)


async def _join(ours: Book, theirs: Book, query: Query, json: bool) -> None:
    if ours.journal is None:
        raise UsageError(
            "an export cannot be added to", hint="give --store or --url, and export that"
        )
    found, joined = await ours.journal.join(theirs.history, **query.writers())
    _report(found, joined, json)


def _report(found: Comparison, joined: Joined | None, json: bool) -> None:
    if json:
        write_json(comparison_json(found, joined))
    else:
        _show(found, joined)
    if found.verdict == "diverged":
        raise RunFailed("the journals have diverged")


def _show(found: Comparison, joined: Joined | None) -> None:
    style = {"equal": "bold green", "diverged": "bold red"}.get(found.verdict, "bold yellow")
    counts = ", ".join(f"{n} {standing}" for standing, n in found.counts.items() if n)
    say(Text.assemble((found.verdict, style), f"  writers: {counts or 'none'}"))
    for relation in found.unequal[:SHOWN]:
        say(_relation(relation))
    if len(found.unequal) > SHOWN:
        say(f"... and {plural(len(found.unequal) - SHOWN, 'writer')} more; see --json")
    if joined is not None and joined.entries:
        added = "1 entry" if joined.entries == 1 else f"{joined.entries} entries"
        say(
            Text.assemble(
                ("added  ", "bold green"), f"{added} of {plural(joined.chains, 'writer')}"
            )
        )
    elif joined is not None:
        say("nothing to add")


def _relation(relation: Relation) -> Text:
    counts = f"{relation.ours} entries here, {relation.theirs} there"
    parted = f", different from entry {relation.parted} on" if relation.parted else ""
    style = "red" if relation.parted else "yellow"
    return Text.assemble((f"{relation.standing:<9}", style), f"{relation.who}: {counts}{parted}")


def comparison_json(found: Comparison, joined: Joined | None) -> dict[str, Any]:
    """What `journal compare --json` prints; `added` is null without a merge."""
    return {
        "verdict": found.verdict,
        "digests": {"ours": found.ours.root.hex(), "theirs": found.theirs.root.hex()},
        "counts": dict(found.counts),
        "unequal": [
            {
                "subject": relation.subject,
                "standing": relation.standing,
                "ours": relation.ours,
                "theirs": relation.theirs,
                "parted": relation.parted,
            }
            for relation in found.unequal
        ],
        "added": None if joined is None else joined.entries,
    }


# export -----------------------------------------------------------------------------------


def chosen_format(asked: str, out: Path | None, query: Query) -> str:
    """What is asked for, or what the file's name says, or JSON lines. Raises `UsageError`."""
    suffix = out.suffix.removeprefix(".") if out is not None else ""
    form = asked or (suffix if suffix in FORMATS else "jsonl")
    if form not in FORMATS:
        raise UsageError(f"--format {form}: unknown", hint=f"one of {', '.join(FORMATS)}")
    if form == "parquet" and out is None:
        raise UsageError("Parquet is written to a file", hint="give --out FILE")
    if form == "jsonl" and (query.fact or query.since or query.until):
        raise UsageError(
            "an export as JSON lines is of whole journals, so that it can be verified",
            hint="take --format csv for a part, or `pavane journal query --json` for facts",
        )
    return form


async def export(book: Book, query: Query, out: Path | None, form: str) -> None:
    """Write the journal, which must be whole, to a file or the standard output."""
    refuse_damage((await book.survey(query)).findings)
    if out is None:
        await _write(book, query, sys.stdout.buffer, form)
        return
    with _put_in_place(out) as path:
        if form == "parquet":
            count = await tables.write_parquet(path, book.history.entries(**query.filter()))
        else:
            with _opened(path) as file:
                count = await _write(book, query, file, form)
    say(f"{out}: {'1 entry' if count == 1 else f'{count} entries'}")


async def _write(book: Book, query: Query, file: BinaryIO, form: str) -> int:
    if form == "csv":
        with _text(file) as table:
            return await tables.write_csv(table, book.history.entries(**query.filter()))
    count = await archive.write(file, book.history.records, pattern(query.writers()))
    file.flush()
    return count


def _opened(path: Path) -> BinaryIO:
    return open(path, "wb")


@contextmanager
def _put_in_place(out: Path) -> Generator[Path]:
    """Where to write, so that `out` appears whole or not at all: beside it, or beside what it is
    a link to. A device or a pipe stays what it is, and is written to."""
    if out.exists() and not out.is_file():
        yield out
        return
    out = out.resolve()
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", hint="make it, or name another")
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.touch(exist_ok=False)
        yield draft
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _text(file: BinaryIO) -> Generator[TextIO]:
    """The file as text, which stays open."""
    table = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield table
    finally:
        table.flush()
        table.detach()
