"""The tokens that roles show: issued for each session, or given when the runtime was opened."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf

from ..broker.surroundings import now
from ..effects.capability.files import read_token
from ..effects.capability.tokens import (
    Authority,
    PublicKey,
    Renewable,
    TokenLimits,
    narrowed,
    parsed,
)
from ..effects.capability.verifier import BLOCK_LIMIT
from ..effects.errors import TokenRefused
from ..effects.identity import Identity
from .errors import InvalidGrant

TOKEN_LIFE = 24 * 3600.0
"""Seconds that the capability tokens of a session are good for. Who speaks when half of them are over
shows a new one."""


@dataclass(frozen=True, slots=True)
class Held:
    """The `token` that one instance shows. Where it was issued here, `renewed` makes the next, which
    is `due` at some time (seconds since 1970)."""

    token: bytes = field(default=b"", repr=False)
    due: float = inf
    renewed: Callable[[], Held] | None = field(default=None, repr=False)


NOTHING_HELD = Held()


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
        self._given = None if tokens is None else _read(tokens, root)

    @property
    def issues(self) -> bool:
        """Whether tokens are made here, and not given."""
        return self._given is None

    @property
    def roles(self) -> Collection[str]:
        return () if self._given is None else self._given.keys()

    def token(self, who: Identity, capabilities: Collection[str]) -> Held:
        """The token that `who` shows in its session; empty if it holds nothing.

        A token that was given is narrowed to this instance and session first: whoever receives
        it cannot use it as his own. It ends when its issuer said.
        """
        if self._given is not None:
            return Held(self._narrowed(who, self._given.get(who.role, b"")))
        if not capabilities:
            return NOTHING_HELD
        return self._issued(self._renewable(who, capabilities))

    def _renewable(self, who: Identity, capabilities: Collection[str]) -> Renewable:
        return self._authority.renewable(who, capabilities)

    def _issued(self, renewable: Renewable) -> Held:
        return self._until(renewable, now() + TOKEN_LIFE)

    def _until(self, renewable: Renewable, end: float) -> Held:
        return Held(renewable.until(end), end - TOKEN_LIFE / 2, partial(self._issued, renewable))

    def _narrowed(self, who: Identity, token: bytes) -> bytes:
        """As it is where it cannot be read: the verifier says better what is wrong with it."""
        if not token:
            return b""
        try:
            return narrowed(token, self.root, limits=TokenLimits(holder=who))
        except TokenRefused:
            return token


def _read(tokens: Mapping[str, bytes | str], root: PublicKey) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for role, token in tokens.items():
        try:
            found[role] = token if isinstance(token, bytes) else read_token(token)
        except TokenRefused:
            raise InvalidGrant(
                "tokens", role, "is no token", hint="give the bytes or the text of its file"
            ) from None
        _require_room(role, found[role], root)
    return found


def _require_room(role: str, token: bytes, root: PublicKey) -> None:
    """A token travels with a block more than was given, which says whose it is. Raises
    `InvalidGrant`: without that block whoever receives it could use it."""
    with suppress(TokenRefused):
        count = parsed(token, root).block_count()
        if count >= BLOCK_LIMIT:
            raise InvalidGrant(
                "tokens",
                role,
                f"has {count} blocks, and no room for the one that says whose it is",
                hint="give a token with fewer links",
            )
