"""Signing keys that are kept, and the public ones that somebody trusts.

A journal proves nothing by a key that lies next to it: whoever alters the one can use the other.
So a user's key is kept apart from all stores, `pavane/signing.key` in the state folder
(`$XDG_STATE_HOME`, else `~/.local/state`), unless `PAVANE_KEY` names another file: the one that all
workers of a deployment share. A key file is 64 hexadecimal digits; a list of trusted keys has
one public key a line, with a comment after it if you like.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ...keys import Signer
from .errors import KeyUnusable

VARIABLE = "PAVANE_KEY"
KEY = "signing.key"
KNOWN = "known_journals"
LENGTHS = "known_lengths"

_log = logging.getLogger("pavane.effects")


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where Pavane keeps what belongs to a user and not to a project."""
    kept = environment.get("XDG_STATE_HOME", "")
    root = Path(kept) if kept else Path(environment.get("HOME") or Path.home()) / ".local/state"
    return root / "pavane"


def own_signer(environment: Mapping[str, str] = os.environ) -> Signer:
    """The key of `PAVANE_KEY`, or the user's, made when it is first asked for. Where no file can
    be kept it is new, and a warning is logged. Raises `KeyUnusable`."""
    if given := environment.get(VARIABLE):
        return signer_from(Path(given))
    path = state_folder(environment) / KEY
    try:
        _make(path)
    except OSError as error:
        why = error.strerror or error
        _log.warning("the signing key cannot be kept in %s: %s; give %s", path, why, VARIABLE)
        return Signer()
    return signer_from(path)


def signer_from(path: Path) -> Signer:
    """The key in a file; raises `KeyUnusable`."""
    text = _text(path, f"give {VARIABLE} the path of a file with 64 hexadecimal digits")
    try:
        seed = bytes.fromhex(text)
        return Signer(seed)
    except ValueError:
        hint = "a key is 64 hexadecimal digits; delete the file to have a new one"
        raise KeyUnusable(str(path), "it holds no key", hint) from None


def public_keys(path: Path) -> frozenset[bytes]:
    """The keys that a file lists; raises `KeyUnusable`."""
    hint = "write one public key a line, as `pavane journal key` prints it"
    found: set[bytes] = set()
    for number, line in enumerate(_text(path, hint).splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            key = bytes.fromhex(words[0])
        except ValueError:
            key = b""
        if len(key) != 32:
            raise KeyUnusable(str(path), f"line {number} is no public key", hint)
        found.add(key)
    if not found:
        raise KeyUnusable(str(path), "it lists no key", hint)
    return frozenset(found)


def _make(path: Path) -> None:
    """A new key, unless there is one; of several processes that try, one has its way."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with open(draft, "x", opener=_private, encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _text(path: Path, hint: str) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise KeyUnusable(str(path), error.strerror or str(error), hint) from None
    except ValueError:
        raise KeyUnusable(str(path), "it is no text", hint) from None


class KnownJournals:
    """Whose signatures a user has seen in which journal, and since when: as ssh knows hosts.

    A line is a public key, a time in UTC and the journal, a folder or an address.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys(self, journal: str) -> dict[bytes, datetime]:
        """The keys that signed for the journal, with when that was first seen; raises
        `KeyUnusable`."""
        if not self.path.exists():
            return {}
        found: dict[bytes, datetime] = {}
        hint = "mend the line or delete the file, which forgets all journals"
        for number, line in enumerate(_text(self.path, hint).splitlines(), 1):
            words = line.split(" ", 2)
            try:
                key, when = bytes.fromhex(words[0]), datetime.fromisoformat(words[1])
                where = words[2]
            except (ValueError, IndexError):
                raise KeyUnusable(str(self.path), f"line {number}: no key", hint) from None
            if where == journal:
                found.setdefault(key, when)
        return found

    def add(self, journal: str, keys: Iterable[bytes]) -> None:
        """Trust them from now on. Raises `OSError` where the file cannot be kept."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [f"{key.hex()} {now} {journal}\n" for key in sorted(keys)]
        if not lines:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.path, "a", opener=_private, encoding="utf-8") as file:
            file.write("".join(lines))


class Length(NamedTuple):
    """What was seen of a journal: its number of entries, the hash of the first, and when."""

    entries: int
    beginning: str
    when: datetime


class KnownLengths:
    """How long a user has seen which journal: it only grows, and of one that was replaced by an older
    copy of itself nothing inside it tells.

    A line is a number, a hash, a time in UTC and the journal, as in `KnownJournals`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, journal: str) -> Length | None:
        """What was seen last; raises `KeyUnusable`."""
        return self._all().get(journal)

    def set(self, journal: str, entries: int, beginning: bytes) -> None:
        """Remember how it is now. Raises `OSError` where the file cannot be kept."""
        known = self._all() | {journal: Length(entries, beginning.hex(), datetime.now(UTC))}
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        with open(draft, "x", opener=_private, encoding="utf-8") as file:
            for name, seen in known.items():
                when = seen.when.isoformat(timespec="seconds")
                file.write(f"{seen.entries} {seen.beginning} {when} {name}\n")
        draft.replace(self.path)

    def _all(self) -> dict[str, Length]:
        found: dict[str, Length] = {}
        hint = "mend the line or delete the file, which forgets how long all journals were"
        lines = _text(self.path, hint).splitlines() if self.path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                count, beginning, when, journal = line.split(" ", 3)
                found[journal] = Length(int(count), beginning, datetime.fromisoformat(when))
            except ValueError:
                raise KeyUnusable(str(self.path), f"line {number}: no length", hint) from None
        return found
