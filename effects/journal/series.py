"""Like messages that left one right after the other, as one stored entry.

A sender that says the same step again and again leaves hundreds of entries that differ in their numbers
alone. They are stored as one, of the kind `series`, under one hash and one receipt. Readers get
what it stands for: `sent` entries and facts, each with a number and a hash of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec.structs import replace

from ..keys import digest
from .entry import Draft, Entry


def draft_of(sent: Draft, facts: Iterable[str], times: int) -> Draft:
    """That of `times` messages like `sent`, each to one receiver; `charge` is that of each."""
    return replace(sent, kind="series", name="\n".join(facts), count=times)


def all_of(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries of a record, with what each `series` stands for in its place."""
    for entry in entries:
        if entry.kind == "series":
            return tuple(chain.from_iterable(map(expanded, entries)))
    return entries


def expanded(entry: Entry) -> Iterator[Entry]:
    """What it stands for: itself, but for a `series`. The receipt's proof stands with the first
    message. The last of a series has its hash, the others have one that follows from it."""
    if entry.kind != "series":
        yield entry
        return
    facts = entry.name.split("\n") if entry.name else []
    previous, number, proof = entry.previous, entry.number, entry.proof
    for _ in range(entry.count):
        for name in ("", *facts):
            found = entry.hash
            if number != entry.last:
                found = digest(entry.hash + number.to_bytes(8))
            yield Entry(
                entry.writer, number, entry.time, "fact" if name else "sent", name, entry.step,
                entry.label, entry.peer, 0 if name else entry.charge, entry.receipt, proof,
                0 if name else 1, previous, found,
            )  # fmt: skip
            previous, number, proof = found, number + 1, b""
