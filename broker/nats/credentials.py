"""Keys and tokens of NATS: nkeys, and the JWTs of operators, accounts and users (NATS ADR-14).

An operator's key signs accounts, an account's key signs users; the server knows the operator, and
takes whoever shows a user's JWT that is signed all the way. So users can be made, and end,
without a word to the server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import nkeys  # pyright: ignore[reportMissingTypeStubs]  # it has none
from nacl.signing import SigningKey

from .allowed import Allowed

_nkeys: Any = nkeys

Kind = Literal["operator", "account", "user"]

_PREFIXES: Final[Mapping[Kind, int]] = {
    "operator": _nkeys.PREFIX_BYTE_OPERATOR,
    "account": _nkeys.PREFIX_BYTE_ACCOUNT,
    "user": _nkeys.PREFIX_BYTE_USER,
}
_UNLIMITED: Final = {"subs": -1, "data": -1, "payload": -1}
_ACCOUNT_LIMITS: Final = {
    **_UNLIMITED,
    **dict.fromkeys(("imports", "exports", "conn", "leaf"), -1),
    "wildcards": True,
}
_JETSTREAM: Final = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)


@dataclass(frozen=True, slots=True)
class Key:
    """An nkey. `seed` is its secret, as `nk` and `nsc` write it."""

    seed: str

    def __repr__(self) -> str:
        return f"Key({self.public})"

    @property
    def public(self) -> str:
        public: bytes = self._pair().public_key
        return public.decode()

    def sign(self, message: bytes) -> bytes:
        signature: bytes = self._pair().sign(message)
        return signature

    def _pair(self) -> Any:
        return _nkeys.from_seed(bytearray(self.seed.encode()))


def new_key(kind: Kind) -> Key:
    seed: bytes = _nkeys.encode_seed(bytes(SigningKey.generate()), _PREFIXES[kind])
    return Key(seed.decode())


def read_key(text: str, kind: Kind) -> Key:
    """The key whose seed `text` is; raises `ValueError` for anything else."""
    try:
        prefix, _ = _nkeys.decode_seed(bytearray(text.strip().encode()))
        if prefix != _PREFIXES[kind]:
            raise ValueError(f"it is not the seed of a key for {kind}s")
        return Key(text.strip())
    except _nkeys.NkeysError:
        raise ValueError("it holds no seed of an nkey") from None


# --- tokens ------------------------------------------------------------------------------------


def operator_token(operator: Key, name: str, system: str) -> str:
    """Self-signed; `system` is the public key of the account for the server's own messages."""
    return _token(operator, operator.public, name, "operator", {"system_account": system})


Scopes = Mapping[str, tuple[str, Allowed]]
"""By the public keys that sign users: the name of the scope, and what such a user may do."""


def account_token(operator: Key, account: str, name: str, scopes: Scopes | None) -> str:
    """`account` is its public key. With `scopes` it has JetStream, as much as there is room for.

    What users may do stands here and not in their own tokens: these are sent in one line when
    they connect, for which a server takes 4 KiB.
    """
    limits = {**_ACCOUNT_LIMITS, **({} if scopes is None else _JETSTREAM)}
    keys = [_scope(key, role, allow) for key, (role, allow) in (scopes or {}).items()]
    return _token(operator, account, name, "account", {"limits": limits, "signing_keys": keys})


def _scope(key: str, role: str, allow: Allowed) -> dict[str, Any]:
    template = {
        "pub": {"allow": list(allow.publish)},
        "sub": {"allow": list(allow.subscribe)},
        **_UNLIMITED,
    }
    return {"kind": "user_scope", "key": key, "role": role, "template": template}


def user_token(
    scope: Key, account: str, user: str, name: str, *, seconds: int | None = None
) -> str:
    """`account` and `user` are public keys. The user may do what the scope says whose key signs
    it, for `seconds` if given."""
    return _token(scope, user, name, "user", {"issuer_account": account}, seconds)


def _token(
    issuer: Key,
    subject: str,
    name: str,
    kind: Kind,
    claims: Mapping[str, Any],
    seconds: int | None = None,
) -> str:
    now = int(time.time())
    body: dict[str, Any] = {"iat": now, "iss": issuer.public, "name": name, "sub": subject}
    if seconds is not None:
        body["exp"] = now + seconds
    body["nats"] = {**claims, "type": kind, "version": 2}
    digest = hashlib.sha256(json.dumps(body).encode()).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_packed({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_packed(body)}"
    return f"{signed}.{_base64(issuer.sign(signed.encode()))}"


def _packed(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def creds_file(token: str, user: Key) -> str:
    """What a `.creds` file holds: the user's JWT and its secret."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
