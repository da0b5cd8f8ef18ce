"""A state that a user's reducer comes to: `pavane journal replay --reduce` and `snapshot`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeGuard, cast

import msgspec

from ..effects.journal.entry import Entry
from ..effects.journal.history.errors import JournalDamaged
from ..effects.journal.history.rebuilding import Rebuilt
from ..effects.journal.history.reducer import Reducer
from .attest import refuse_damage
from .errors import UsageError
from .escapes import printable
from .journals import Book, Query
from .screen import complaints, say, write_json

FORM = (
    "write MODULE:FUNCTION, as in `reports:balances`; the module is looked for in this folder too"
)

Reduction = Reducer[Any] | Callable[[Any, Entry], Any]


def named(text: str) -> Reduction:
    """The reducer, or the plain function, that a user means; raises `UsageError`."""
    place, _, name = text.partition(":")
    if not place or not name:
        raise UsageError(f"{text} names no function", hint=FORM)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = getattr(import_module(place), name, None)
    except ModuleNotFoundError as error:
        if error.name not in (place, place.partition(".")[0]):
            raise _unloadable(place, error) from error
        raise UsageError(f"there is no module {place}", hint=FORM) from None
    except Exception as error:
        raise _unloadable(place, error) from error
    if not callable(found):
        raise UsageError(f"{place} has no function {name}", hint=FORM)
    return cast(Reduction, found)


def _unloadable(place: str, error: Exception) -> UsageError:
    return UsageError(
        f"{place} cannot be loaded: {type(error).__name__}: {error}",
        hint=f"mend it; `python -c 'import {place}'` shows the whole traceback",
    )


async def reduce(book: Book, query: Query, reduction: Reduction) -> None:
    """Print the state as JSON. A plain function begins with None."""
    try:
        rebuilt = await book.history.rebuild(
            reduction, trusted=book.trust.keys(), **query.writers()
        )
    except JournalDamaged as damaged:
        refuse_damage(damaged.findings)
        raise
    _tell(rebuilt)
    try:
        write_json(msgspec.to_builtins(rebuilt.state, str_keys=True))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the state is no JSON: {error}",
            hint="return numbers, text, lists, dictionaries or dataclasses",
        ) from None


async def snapshot(book: Book, query: Query, reduction: Reduction) -> None:
    """Keep the state, so that the next rebuild begins here."""
    if book.journal is None:
        raise UsageError("a snapshot is kept beside its journal, not beside an export")
    if not has_snapshots(reduction):
        raise UsageError("a plain function has no snapshots", hint="put @pavane.reducer before it")
    try:
        rebuilt = await book.journal.snapshot(
            reduction, trusted=book.trust.keys(), **query.writers()
        )
    except JournalDamaged as damaged:
        refuse_damage(damaged.findings)
        raise
    _tell(rebuilt)
    say(f"kept  the state after {_entries(rebuilt.entries)}")


def has_snapshots(reduction: Reduction) -> TypeGuard[Reducer[Any]]:
    return isinstance(reduction, Reducer) and bool(reduction.name)


def _tell(rebuilt: Rebuilt[Any]) -> None:
    for reason in rebuilt.skipped:
        say(printable(f"passed over: {reason}"), console=complaints())
    begun = f", {rebuilt.before} by a snapshot" if rebuilt.before else ""
    say(f"rebuilt from {_entries(rebuilt.entries)}{begun}", console=complaints())


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
