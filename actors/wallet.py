"""The tokens that roles show: issued for each session, or given when the runtime was opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..broker.surroundings import now
from ..effects.capability.files import read_token
from ..effects.capability.tokens import Authority, PublicKey, TokenLimits, narrowed, parsed
from ..effects.capability.verifier import BLOCK_LIMIT
from ..effects.errors import TokenRefused
from ..effects.identity import Identity
from .errors import InvalidGrant

TOKEN_LIFE = 24 * 3600.0
"""Seconds that the capability tokens of a session are good for."""


class Wallet:
    """`tokens` by role, as bytes or text; `root` is the key of the authority that is believed.

    With tokens, a role that has none holds nothing: nothing is issued here then. Raises
    `InvalidGrant` for what is no token at all.
    """

    def __init__(
        self, authority: Authority, tokens: Mapping[str, bytes | str] | None, root: PublicKey
    ) -> None:
        self._authority = authority
        self.root = root
        self._given = None if tokens is None else _read(tokens)

    @property
    def issues(self) -> bool:
        """Whether tokens are made here, and not given."""
        return self._given is None

    @property
    def roles(self) -> Collection[str]:
        return () if self._given is None else self._given.keys()

    def token(self, who: Identity, capabilities: Collection[str]) -> bytes:
        """The token that `who` shows in its session; empty if it holds nothing.

        A token that was given is narrowed to this instance and session first: whoever receives
        it cannot use it as his own.
        """
        if self._given is not None:
            return self._narrowed(who, self._given.get(who.role, b""))
        if not capabilities:
            return b""
        return self._authority.issue(who, capabilities, now() + TOKEN_LIFE)

    def _narrowed(self, who: Identity, token: bytes) -> bytes:
        """As it is where it cannot be narrowed: the verifier says better what is wrong with it."""
        if not token:
            return b""
        try:
            if parsed(token, self.root).block_count() >= BLOCK_LIMIT:
                return token
            return narrowed(token, self.root, limits=TokenLimits(holder=who))
        except TokenRefused:
            return token


def _read(tokens: Mapping[str, bytes | str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for role, token in tokens.items():
        try:
            found[role] = token if isinstance(token, bytes) else read_token(token)
        except TokenRefused:
            raise InvalidGrant(
                "tokens", role, "is no token", hint="give the bytes or the text of its file"
            ) from None
    return found
