"""Keys of payloads that are kept in a file, for the processes that share them.

A line is the id of a key and 64 hexadecimal digits, with a comment after `#` if you like. The
first is the one to encrypt with; the others open what was encrypted before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .codec import PayloadCipher
from .errors import CipherUnusable

VARIABLE = "PAVANE_CIPHER"


def own_cipher(environment: Mapping[str, str] = os.environ) -> PayloadCipher | None:
    """The cipher of the file that `PAVANE_CIPHER` names, if it does. Raises `CipherUnusable`."""
    given = environment.get(VARIABLE)
    return cipher_from(Path(given)) if given else None


def cipher_from(path: Path) -> PayloadCipher:
    """Raises `CipherUnusable`."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] in keys:
            raise CipherUnusable(path, f"line {number} is not the id of a new key and the key")
        try:
            keys[words[0]] = bytes.fromhex(words[1])
        except ValueError:
            raise CipherUnusable(path, f"line {number} has no hexadecimal digits") from None
    if not keys:
        raise CipherUnusable(path, "it has no key")
    try:
        return PayloadCipher(keys, next(iter(keys)))
    except ValueError as error:
        raise CipherUnusable(path, str(error)) from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except OSError as error:
        raise CipherUnusable(path, error.strerror or str(error)) from None
    except ValueError:
        raise CipherUnusable(path, "it is no text") from None
