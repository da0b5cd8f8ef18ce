"""The `Verifier`: what a token shows, decided once and then looked up.

Datalog of strangers is never run. Anyone can append a block to a token, and one whose rules
take seconds would hold the interpreter's lock for as long; so before it is authorized a token is
bounded in size and blocks, and every block after the first must consist of known checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from time import time

from biscuit_auth import AuthorizationError, AuthorizerBuilder, Biscuit

from .biscuit import bounded, public_key
from .capability import PublicKey, holder_terms, moment, qualified
from .errors import CapabilityDenied, TokenRefused
from .identity import Identity

SIZE_LIMIT = 2048
BLOCK_LIMIT = 4
CACHE_LIMIT = 20_000

_NAME = r'"[^"\\]{1,256}"'
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_EXPIRY = re.compile(rf"check if time\(\$t\), \$t <= ({_TIME})", re.ASCII)
_HOLDER = rf"holder\({_NAME}, {_NAME}, {_NAME}, {_NAME}, \d{{1,4}}\)"
_REQUESTED = rf"requested\({_NAME}\)( or requested\({_NAME}\))*"
_ALLOWED = re.compile(rf"check if ({_HOLDER}|{_REQUESTED})", re.ASCII)


class Verified:
    """What one token shows for one holder. Made by a `Verifier`, which caches it."""

    __slots__ = ("_biscuit", "_verdicts", "expires", "holder", "revocation_ids")

    def __init__(self, biscuit: Biscuit, holder: Identity, expires: float) -> None:
        self._biscuit = biscuit
        self._verdicts: dict[str, str] = {}
        self.holder = holder
        self.expires = expires
        self.revocation_ids = frozenset(biscuit.revocation_ids)

    def refusal(self, capability: str, now: float) -> str:
        """Why `capability` (full name) is not shown at `now`; empty if it is."""
        if now > self.expires:
            return "its token has expired"
        verdict = self._verdicts.get(capability)
        if verdict is None:
            verdict = self._verdicts[capability] = self._decide(capability, now)
        return verdict

    def _decide(self, capability: str, now: float) -> str:
        terms = {**holder_terms(self.holder), "t": moment(now), "c": capability}
        builder = AuthorizerBuilder(
            "time({t}); holder({n}, {p}, {s}, {r}, {i}); requested({c}); allow if capability({c});",
            terms,
        )
        try:
            bounded(builder).build(self._biscuit).authorize()
        except AuthorizationError as error:
            return _reason(str(error))
        return ""


def _reason(detail: str) -> str:
    if "holder(" in detail:
        return "its token was issued to another role instance or session"
    return "its token does not grant it"


class Verifier:
    """Verifies tokens of the authority with the key `root`.

    `clock` gives seconds since 1970. Verdicts are kept by the token's exact bytes and its
    holder until the token expires or is revoked.
    """

    def __init__(self, root: PublicKey, *, clock: Callable[[], float] = time) -> None:
        self._root = public_key(root)
        self._clock = clock
        self._cache: dict[tuple[bytes, Identity], Verified] = {}
        self._revoked: set[str] = set()

    def require(self, holder: Identity, token: bytes, capability: str) -> None:
        """Raise `CapabilityDenied` unless `token` shows `capability` for `holder` now.

        A bare name belongs to the namespace of the holder's protocol.
        """
        name = qualified(capability, holder.namespace)
        reason = self._refusal(holder, token, name)
        if reason:
            raise CapabilityDenied(name, holder.role, holder.index, reason)

    def _refusal(self, holder: Identity, token: bytes, name: str) -> str:
        if not token:
            return "it shows no token"
        try:
            verified = self._cache.get((token, holder)) or self.verify(token, holder)
        except TokenRefused as refused:
            return f"its token is refused, {refused.reason}"
        return verified.refusal(name, self._clock())

    def verify(self, token: bytes, holder: Identity) -> Verified:
        """Check signature, form and revocation of `token`, not yet what it grants.

        Raises `TokenRefused` whatever the bytes are.
        """
        biscuit = self._parsed(token)
        expires = _expiry(biscuit)
        if self._revoked.intersection(biscuit.revocation_ids):
            raise TokenRefused("it is revoked")
        verified = Verified(biscuit, holder, expires)
        if len(self._cache) >= CACHE_LIMIT:
            self._cache.pop(next(iter(self._cache)))
        self._cache[token, holder] = verified
        return verified

    def revoke(self, revocation_id: str) -> None:
        """Refuse every token with this id from now on, and all that were narrowed from it."""
        self._revoked.add(revocation_id)
        for key, verified in list(self._cache.items()):
            if revocation_id in verified.revocation_ids:
                del self._cache[key]

    def _parsed(self, token: bytes) -> Biscuit:
        if len(token) > SIZE_LIMIT:
            raise TokenRefused(f"it is longer than {SIZE_LIMIT} bytes")
        try:
            return Biscuit.from_bytes(token, self._root)
        except BaseException as error:
            # A panic of the library is no Exception; anything else that is none is not ours.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise TokenRefused("it is damaged, or signed by another authority") from None
            raise


def _expiry(biscuit: Biscuit) -> float:
    """When the first of the token's blocks expires. Raises `TokenRefused` for a token with too
    many blocks, or one with anything but known checks after the first."""
    if biscuit.block_count() > BLOCK_LIMIT:
        raise TokenRefused(f"it has more than {BLOCK_LIMIT} blocks")
    expires = _times(biscuit.block_source(0))
    for index in range(1, biscuit.block_count()):
        if biscuit.block_external_key(index) is not None:
            raise TokenRefused("it has a block of a third party")
        source = biscuit.block_source(index)
        for line in source.removesuffix("\n").split("\n"):
            if line and not _is_allowed(line):
                raise TokenRefused("it has a block with more than the checks that may narrow it")
        expires += _times(source)
    if not expires:
        raise TokenRefused("it never expires")
    return min(expires)


def _is_allowed(line: str) -> bool:
    check = line.removesuffix(";")
    return bool(_ALLOWED.fullmatch(check) or _EXPIRY.fullmatch(check))


def _times(source: str) -> list[float]:
    return [datetime.fromisoformat(text).timestamp() for text in _EXPIRY.findall(source)]
