"""Tokens and keys as files: text that can be mailed, and secrets that only their owner reads."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from ..errors import TokenRefused
from .tokens import Key, PublicKey

LONGEST = 64 * 1024
"""More characters than any file of ours has."""


def write_token(token: bytes) -> str:
    """One line of URL-safe base64."""
    return base64.urlsafe_b64encode(token).decode("ascii") + "\n"


def read_token(text: str) -> bytes:
    """The bytes that `write_token` was given; raises `TokenRefused` for other text."""
    line = "".join(text.split())
    if not line or len(line) > LONGEST or not line.isascii():
        raise TokenRefused("it is not one line of base64")
    try:
        return base64.b64decode(line.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("it is not one line of base64") from None


def read_key(text: str) -> Key:
    """A private key: 64 hexadecimal digits. Raises `ValueError`, which quotes nothing."""
    return Key(_hexadecimal(text))


def read_public_key(text: str) -> PublicKey:
    """A public key: 64 hexadecimal digits, and perhaps a comment after `#`. Raises `ValueError`."""
    return _hexadecimal(text.split("#")[0])


def _hexadecimal(text: str) -> bytes:
    digits = text.strip()
    if len(digits) != 64 or not digits.isascii() or not digits.isalnum():
        raise ValueError("no key of 64 hexadecimal digits")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError("no key of 64 hexadecimal digits") from None


def write_secret(path: Path, text: str) -> None:
    """A new file that only its owner may read. Raises `FileExistsError`, or another `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
