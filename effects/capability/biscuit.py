"""The calls of biscuit-python whose type stub is behind the library."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import biscuit_auth
from biscuit_auth import AuthorizerBuilder, Biscuit, PrivateKey, PublicKey

from ..errors import KeyRefused

_library: Any = biscuit_auth

MAX_TIME = timedelta(milliseconds=200)
"""The library's own limit of 1 ms wall time gives false denials on a loaded machine."""


def public_key(key: bytes) -> PublicKey:
    """An Ed25519 key from its 32 bytes; raises `ValueError` for others."""
    found: PublicKey = _library.PublicKey.from_bytes(key, _library.Algorithm.Ed25519)
    return found


def known_key(key: object, what: str) -> PublicKey:
    """As `public_key`. Raises `KeyRefused`, which calls it `what`, for anything else."""
    hint = f"give the 32 bytes of an Ed25519 public key: {what}=authority.public, or bytes.fromhex(text)"
    if not isinstance(key, bytes):
        raise KeyRefused(what, f"it is of type {type(key).__name__}, not bytes", hint=hint)
    try:
        return public_key(key)
    except ValueError:
        size = len(key)
        reason = "it is no Ed25519 key" if size == 32 else f"it has {size} bytes, and a key has 32"
        raise KeyRefused(what, reason, hint=hint) from None


def private_key(seed: bytes) -> PrivateKey:
    found: PrivateKey = _library.PrivateKey.from_bytes(seed, _library.Algorithm.Ed25519)
    return found


def bounded(builder: AuthorizerBuilder) -> AuthorizerBuilder:
    """`builder` with `MAX_TIME` to run."""
    untyped: Any = builder
    limits = untyped.limits()
    limits.max_time = MAX_TIME
    untyped.set_limits(limits)
    return builder


def external_key(biscuit: Biscuit, index: int) -> bytes | None:
    """Who signed a block of a third party; None for other blocks."""
    untyped: Any = biscuit
    key = untyped.block_external_key(index)
    return None if key is None else bytes(key.to_bytes())
