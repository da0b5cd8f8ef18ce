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
from .attest import SHORT, refuse_damage
from .errors import RunFailed, UsageError
from .escapes import printable
from .journals import Book, Place, Query, opened, trusted
from .loop import play
from .screen import complaints, plural, say, write_json

FORMATS = ("jsonl", "csv", "parquet")

SHOWN = 20
"""How many writers that differ are shown to people; `--json` has them all."""


def compare(place: Place, source: Place, query: Query, *, json: bool) -> None:
    """How the journal stands to another."""
    place.check()

    async def main() -> None:
        async with opened(place) as ours, opened(source) as theirs:
            found = await ours.history.compare(theirs.history, **query.writers())
            _report(found, None, json)

    play(main)


def merge(
    place: Place, source: Place, query: Query, trust: list[Path] | None, *, json: bool
) -> None:
    """Add what the journal lacks of another, of what is signed by whom it trusts."""
    given = trusted(trust)

    async def main() -> None:
        async with opened(place, given, new=True) as ours, opened(source) as theirs:
            await _join(ours, theirs, query, json)

    play(main)


async def _join(ours: Book, theirs: Book, query: Query, json: bool) -> None:
    assert ours.journal is not None, "a file is never merged into"
    keys = ours.trust.keys()
    found, joined = await ours.journal.join(theirs.history, trusted=keys, **query.writers())
    _report(found, joined, json)
    if json:
        return
    if found.theirs.unsigned:
        entries = _entries(found.theirs.unsigned)
        say(f"left out  {entries} there that nobody has signed", console=complaints())
    for signer in sorted(found.theirs.signers) if keys is None else ():
        say(
            f"signed by {signer.hex()[:SHORT]}: not checked: name the keys you trust with --trust",
            console=complaints(),
        )


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
        added = f"{_entries(joined.entries)} of {plural(joined.chains, 'writer')}"
        say(Text.assemble(("added  ", "bold green"), added))
    elif joined is not None:
        say("nothing to add")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _relation(relation: Relation) -> Text:
    counts = f"{relation.ours} entries here, {relation.theirs} there"
    parted = f", different from entry {relation.parted} on" if relation.parted else ""
    style = "red" if relation.parted else "yellow"
    return Text.assemble(
        (f"{relation.standing:<9}", style), f"{printable(relation.who)}: {counts}{parted}"
    )


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
    say(f"{out}: {_entries(count)}")


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
