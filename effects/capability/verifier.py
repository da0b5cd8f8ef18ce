"""The `Verifier`: what a token shows, decided once and then looked up.

Datalog of strangers is never run. Anyone can append a block to a token, and one whose rules
take seconds would hold the interpreter's lock for as long; so before it is authorized a token is
bounded in size and blocks, and every block after the first must consist of known checks. A block
of a third party may have rights too, if its key is listed for their namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import cast

from biscuit_auth import AuthorizationError, AuthorizerBuilder, Biscuit

from ...broker.surroundings import now
from ..errors import CapabilityDenied, InvalidEffect, TokenRefused
from ..identity import Identity
from .biscuit import bounded, external_key, known_key, public_key
from .tokens import LETTERS, PublicKey, holder_terms, moment, parsed, qualified

SIZE_LIMIT = 2048
BLOCK_LIMIT = 4
CACHE_LIMIT = 20_000

_NAME = f'"{LETTERS}"'
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_EXPIRY = re.compile(rf"check if time\(\$t\), \$t <= ({_TIME})", re.ASCII)
_HOLDER = rf"holder\({_NAME}, {_NAME}, {_NAME}, {_NAME}, \d{{1,4}}\)"
_LISTED = "|".join(
    rf"{fact}\({_NAME}\)( or {fact}\({_NAME}\))*"
    for fact in ("requested", "namespace", "protocol", "session", "role")
)
_ALLOWED = re.compile(rf"check if ({_HOLDER}|{_LISTED})", re.ASCII)
_RIGHT = re.compile(rf"capability\(({_NAME})\)")

_AMBIENT = (
    "time({t}); requested({c}); holder({n}, {p}, {s}, {r}, {i}); "
    "namespace({n}); protocol({p}); session({s}); role({r});"
)

EXPIRED = "its token has expired"
REVOKED = "it is revoked"

_HINTS = {
    EXPIRED: "a token that was given to {role} is not renewed: give one that lasts as long as the session; "
    "and a live session has to take a message before the token that it came with ends",
    REVOKED: "issue another token to {role} if it may do this again",
}

Endorsers = Mapping[PublicKey, Collection[str]]
"""The keys of third parties, each with the namespaces in which its rights count."""


class Verified:
    """What one token shows for one holder. Made by a `Verifier`, which caches it."""

    __slots__ = ("_biscuit", "_parties", "_verdicts", "expires", "holder", "revocation_ids")

    def __init__(
        self, biscuit: Biscuit, holder: Identity, expires: float, parties: Collection[PublicKey]
    ) -> None:
        self._biscuit = biscuit
        self._parties = tuple(parties)
        self._verdicts: dict[str, str] = {}
        self.holder = holder
        self.expires = expires
        self.revocation_ids = frozenset(biscuit.revocation_ids)

    def refusal(self, capability: str, now: float) -> str:
        """Why `capability` (full name) is not shown at `now`; empty if it is."""
        if now > self.expires:
            return EXPIRED
        verdict = self._verdicts.get(capability)
        if verdict is None:
            verdict = self._verdicts[capability] = self._decide(capability, now)
        return verdict

    def _decide(self, capability: str, now: float) -> str:
        terms = {**holder_terms(self.holder), "t": moment(now), "c": capability}
        builder = AuthorizerBuilder(_AMBIENT, terms)
        # Rights count in the block of the authority and in those of listed keys, and nowhere else.
        keys = {f"k{i}": public_key(party) for i, party in enumerate(self._parties)}
        scope = ", ".join(["authority", *(f"{{{key}}}" for key in keys)])
        builder.add_code(f"allow if capability({{c}}) trusting {scope};", {"c": capability}, keys)
        try:
            bounded(builder).build(self._biscuit).authorize()
        except AuthorizationError as error:
            return _reason(str(error))
        return ""


_WHOSE = {
    "holder(": "its token was issued to another role instance or session",
    "namespace(": "its token is for another namespace",
    "protocol(": "its token is for another protocol",
    "session(": "its token is for another session",
    "role(": "its token is for another role",
}


def _reason(detail: str) -> str:
    failed = (why for fact, why in _WHOSE.items() if f"check if {fact}" in detail)
    return next(failed, "its token does not grant it")


class Verifier:
    """Verifies tokens of the authority with the key `root`.

    `clock` gives seconds since 1970. Verdicts are kept by the token's exact bytes and its
    holder until the token expires or is revoked, or the epoch turns. `endorsers` are the third
    parties that are believed, within their namespaces. Raises `KeyRefused` for what is no key, and
    `InvalidEffect` for what is no list of namespaces.
    """

    def __init__(
        self,
        root: PublicKey,
        *,
        clock: Callable[[], float] = now,
        endorsers: Endorsers | None = None,
    ) -> None:
        known_key(root, "root_key")
        self.root = root
        self._clock = clock
        self._endorsers = {key: _spaces(key, given) for key, given in (endorsers or {}).items()}
        self._cache: dict[tuple[bytes, Identity], Verified] = {}
        self._revoked: set[str] = set()

    def require(self, holder: Identity, token: bytes, capability: str) -> None:
        """Raise `CapabilityDenied` unless `token` shows `capability` for `holder` now.

        A bare name belongs to the namespace of the holder's protocol.
        """
        self.require_at(self._clock(), holder, token, capability)

    def require_at(self, when: float, holder: Identity, token: bytes, capability: str) -> None:
        """As `require`, of a token that was shown at `when`: it may have expired since then. What is
        revoked is refused whenever it was shown."""
        name = qualified(capability, holder.namespace)
        reason = self._refusal(when, holder, token, name)
        if reason:
            hint = next((said for why, said in _HINTS.items() if reason.endswith(why)), "")
            raise CapabilityDenied(
                name, holder.role, holder.index, reason, hint=hint.format(role=holder.role)
            )

    def _refusal(self, when: float, holder: Identity, token: bytes, name: str) -> str:
        if not token:
            return "it shows no token"
        try:
            verified = self.verified(token, holder)
        except TokenRefused as refused:
            return f"its token is refused, {refused.reason}"
        return verified.refusal(name, when)

    def verified(self, token: bytes, holder: Identity) -> Verified:
        """As `verify`, or what that came to before."""
        return self._cache.get((token, holder)) or self.verify(token, holder)

    def ids(self, token: bytes) -> list[str]:
        """The revocation ids of a token's blocks, the first the authority's: whoever revokes one
        revokes every token that has this block. Raises `TokenRefused`."""
        return parsed(token, self.root).revocation_ids

    def verify(self, token: bytes, holder: Identity) -> Verified:
        """Check signature, form and revocation of `token`, not yet what it grants.

        Raises `TokenRefused` whatever the bytes are.
        """
        if len(token) > SIZE_LIMIT:
            raise TokenRefused(f"it is longer than {SIZE_LIMIT} bytes")
        biscuit = parsed(token, self.root)
        expires = self._expiry(biscuit)
        if self._revoked.intersection(biscuit.revocation_ids):
            raise TokenRefused(REVOKED)
        verified = Verified(biscuit, holder, expires, self._endorsers)
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

    def is_revoked(self, token: bytes) -> bool:
        """Whether an id of `token` was revoked. Raises `TokenRefused` for what is none."""
        return not self._revoked.isdisjoint(self.ids(token))

    def turn(self) -> None:
        """Verify everything anew: an epoch has begun."""
        self._cache.clear()

    def _expiry(self, biscuit: Biscuit) -> float:
        """When the first of the token's blocks expires. Raises `TokenRefused` for a token with
        too many blocks, or with anything in a later block that may not be there."""
        if biscuit.block_count() > BLOCK_LIMIT:
            raise TokenRefused(f"it has more than {BLOCK_LIMIT} blocks")
        expires = _times(biscuit.block_source(0))
        for index in range(1, biscuit.block_count()):
            source, party = biscuit.block_source(index), external_key(biscuit, index)
            if party is None:
                _refuse(source, frozenset())
            else:
                _refuse(source, self._namespaces(party))
            expires += _times(source)
        if not expires:
            raise TokenRefused("it never expires")
        return min(expires)

    def _namespaces(self, party: PublicKey) -> frozenset[str]:
        if party not in self._endorsers:
            raise TokenRefused("it has a block of a third party that is not known here")
        return self._endorsers[party]


def _spaces(key: PublicKey, given: object) -> frozenset[str]:
    """Those of a third party. Of a single text each letter would be one."""
    known_key(key, "the key of an endorser")
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        raise InvalidEffect("endorsers[key]", given, 'a list of namespaces, such as ["bank"]')
    return frozenset(cast(Collection[str], given))


def _refuse(source: str, namespaces: frozenset[str]) -> None:
    """Raise `TokenRefused` unless all of a block is checks that may narrow it, and rights in
    `namespaces`."""
    for line in _lines(source):
        right = _RIGHT.fullmatch(line)
        if right is not None and namespaces:
            namespace, colon, _ = right[1].strip('"').partition(":")
            if not colon or namespace not in namespaces:
                raise TokenRefused(f"a third party grants {right[1]}, which is not its own")
        elif not (_ALLOWED.fullmatch(line) or _EXPIRY.fullmatch(line)):
            raise TokenRefused("it has a block with more than the checks that may narrow it")


def _lines(source: str) -> Iterator[str]:
    for line in source.removesuffix("\n").split("\n"):
        if line:
            yield line.removesuffix(";")


def _times(source: str) -> list[float]:
    return [datetime.fromisoformat(text).timestamp() for text in _EXPIRY.findall(source)]
