"""Ed25519 keys that sign receipts and journal heads."""

from __future__ import annotations

from hashlib import blake2b

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey


class Signer:
    """One process's signing key: new, or from a 32-byte `seed` that its owner keeps secret."""

    def __init__(self, seed: bytes | None = None) -> None:
        self._key = SigningKey.generate() if seed is None else SigningKey(seed)
        self.public = bytes(self._key.verify_key)

    def derived(self, purpose: bytes) -> bytes:
        """32 secret bytes for another purpose, the same whenever this key is used."""
        return digest(b"derived\0" + purpose + b"\0" + bytes(self._key))

    def sign(self, message: bytes) -> bytes:
        return bytes(self._key.sign(message).signature)


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `public`'s owner; False for malformed keys too."""
    try:
        VerifyKey(public).verify(message, signature)
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def digest(data: bytes) -> bytes:
    """BLAKE2b-256, the hash of every chain here."""
    return blake2b(data, digest_size=32).digest()
