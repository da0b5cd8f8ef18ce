"""Capabilities as Biscuit tokens: what an authority issues, and what others may make of it.

The first block of a token holds one `capability("namespace:name")` for each right, and checks that
say whom it is for and how long:

    check if holder("namespace", "Protocol", "session", "Role", 0);
    check if role("Admin") or role("Auditor");
    check if time($t), $t <= 2026-11-23T21:27:45Z;

Whoever has a token narrows it offline by further blocks of such checks (`narrowed`), and so
hands on a part of its authority; who gets that can narrow it again. And a third party, if the
verifier knows its key, adds rights of its own namespaces (`endorsed`). A `Verifier` takes nothing
else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from biscuit_auth import Biscuit, BiscuitBuilder, BlockBuilder, KeyPair

from ...broker import subjects
from ..errors import InvalidName, TokenRefused
from ..identity import Identity
from .biscuit import known_key, private_key

PublicKey = bytes
"""The 32 bytes of an Ed25519 public key."""

LETTERS = r"""[^"\\()\[\]{},;$\x00-\x1f\x7f-\x9f]{1,256}"""
NAME = re.compile(LETTERS)
"""What may stand in a token as a name. The library prints the texts of a block as they are, quotes too,
and no rule can hide between two quotes of which neither a bracket nor a comma is."""

_NOBODY = ":"
"""An empty list would be no check at all; nothing is ever asked for under this name."""


def qualified(capability: str, namespace: str) -> str:
    """`namespace:name`; a bare name belongs to the namespace of the protocol that says it."""
    if ":" in capability:
        return capability
    return f"{namespace or subjects.DEFAULT_NAMESPACE}:{capability}"


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """Whom a token is for and what of it is left; what is None is not limited.

    `capabilities` are full names, `namespaces` and `protocols` those of the session, `roles` plain
    names; `holder` is one role instance in one session. `expires` is in seconds since 1970.
    """

    capabilities: Collection[str] | None = None
    namespaces: Collection[str] | None = None
    protocols: Collection[str] | None = None
    sessions: Collection[str] | None = None
    roles: Collection[str] | None = None
    holder: Identity | None = None
    expires: float | None = None

    def checks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """As Datalog with its parameters. Raises `InvalidName`."""
        for fact, given in self._named():
            if given is not None:
                names = sorted({checked(name) for name in listed(given)}) or [_NOBODY]
                terms = {f"n{i}": name for i, name in enumerate(names)}
                yield "check if " + " or ".join(f"{fact}({{{term}}})" for term in terms), terms
        if self.holder is not None:
            yield "check if holder({n}, {p}, {s}, {r}, {i})", holder_terms(self.holder)
        if self.expires is not None:
            yield "check if time($t), $t <= {e}", {"e": moment(self.expires)}

    def _named(self) -> Iterator[tuple[str, Collection[str] | None]]:
        yield "requested", self.capabilities
        yield "namespace", self.namespaces
        yield "protocol", self.protocols
        yield "session", self.sessions
        yield "role", self.roles

    def add_to(self, builder: BlockBuilder | BiscuitBuilder) -> None:
        for code, terms in self.checks():
            builder.add_code(f"{code};", terms)


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key pair that signs tokens: new, or from a 32-byte `seed` that stays secret."""

    seed: bytes = field(default=b"", repr=False)
    _pair: KeyPair = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pair = KeyPair.from_private_key(private_key(self.seed)) if self.seed else KeyPair()
        object.__setattr__(self, "seed", bytes(pair.private_key.to_bytes()))
        object.__setattr__(self, "_pair", pair)

    @property
    def public(self) -> PublicKey:
        """What verifiers need."""
        return bytes(self._pair.public_key.to_bytes())

    @property
    def pair(self) -> KeyPair:
        return self._pair


class Authority:
    """The root key of a deployment: new, or from a 32-byte `seed` that its owner keeps secret."""

    def __init__(self, seed: bytes | None = None) -> None:
        self.key = Key(seed or b"")

    @property
    def public(self) -> PublicKey:
        """What verifiers need."""
        return self.key.public

    def issue(self, holder: Identity, capabilities: Collection[str], expires: float) -> bytes:
        """A token of one instance in one session, until `expires` (seconds since 1970)."""
        names = {qualified(c, holder.namespace) for c in listed(capabilities)}
        return self.grant(names, TokenLimits(holder=holder, expires=expires))

    def grant(self, capabilities: Collection[str], limits: TokenLimits) -> bytes:
        """A token for `capabilities` (full names) of whoever `limits` allow, which have to say
        when it ends. Whoever holds it may use it, so limit its roles.

        Raises `InvalidName`.
        """
        if limits.expires is None:
            raise InvalidName("expiry", "none", "a token without an end is never accepted")
        return bytes(self._signed(capabilities, limits).to_bytes())

    def renewable(self, holder: Identity, capabilities: Collection[str]) -> Renewable:
        """What tokens of one instance in one session are made from, one after the other."""
        names = {qualified(c, holder.namespace) for c in listed(capabilities)}
        return Renewable(self._signed(names, TokenLimits(holder=holder)))

    def _signed(self, capabilities: Collection[str], limits: TokenLimits) -> Biscuit:
        builder = BiscuitBuilder()
        _grant(builder, capabilities)
        limits.add_to(builder)
        return builder.build(self.key.pair.private_key)


class Renewable:
    """A token without an end, which no verifier accepts. All that are made from it have its block: who
    revokes that one's id revokes them all, and those that are still to be made."""

    __slots__ = ("_biscuit",)

    def __init__(self, biscuit: Biscuit) -> None:
        self._biscuit = biscuit

    def until(self, expires: float) -> bytes:
        """A token that is good until `expires` (seconds since 1970)."""
        block = BlockBuilder("")
        TokenLimits(expires=expires).add_to(block)
        return bytes(self._biscuit.append(block).to_bytes())


def narrowed(
    token: bytes,
    root: PublicKey,
    *,
    capabilities: Collection[str] | None = None,
    expires: float | None = None,
    limits: TokenLimits | None = None,
) -> bytes:
    """`token` with less authority: fewer capabilities (full names), a shorter time, or whatever
    else `limits` say.

    Needs no authority and no network. Raises `TokenRefused` for bytes that are no token, `KeyRefused`
    for a `root` that is no key, and `InvalidName`.
    """
    block = BlockBuilder("")
    TokenLimits(capabilities=capabilities, expires=expires).add_to(block)
    if limits is not None:
        limits.add_to(block)
    return bytes(parsed(token, root).append(block).to_bytes())


def endorsed(
    token: bytes,
    root: PublicKey,
    party: Key,
    capabilities: Collection[str],
    *,
    expires: float | None = None,
) -> bytes:
    """`token` with `capabilities` (full names) of a third party, signed by its key.

    They count where a verifier lists this key for their namespaces, and all checks of the token
    hold for them too.
    """
    block = BlockBuilder("")
    _grant(block, capabilities)
    TokenLimits(expires=expires).add_to(block)
    biscuit: Any = parsed(token, root)
    signed = biscuit.third_party_request().create_block(party.pair.private_key, block)
    return bytes(biscuit.append_third_party(party.pair.public_key, signed).to_bytes())


def _grant(builder: BlockBuilder | BiscuitBuilder, capabilities: Collection[str]) -> None:
    """Raises `InvalidName`."""
    for capability in sorted({checked(name) for name in listed(capabilities)}):
        builder.add_code("capability({c});", {"c": capability})


def parsed(token: bytes, root: PublicKey) -> Biscuit:
    """The token, its signatures checked. Raises `TokenRefused` whatever the bytes are, and `KeyRefused`
    for a `root` that is no key."""
    key = known_key(root, "root")
    try:
        return Biscuit.from_bytes(token, key)
    except BaseException as error:
        # A panic of the library is no Exception; anything else that is none is not ours.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise TokenRefused("it is damaged, or signed by another authority") from None
        raise


def listed(names: Collection[str]) -> Collection[str]:
    """`names`, if they are several; raises `InvalidName` for one, whose letters would be taken for
    names."""
    given: object = names
    if isinstance(given, str | bytes):
        raise InvalidName(
            "the list of names", given, "it is one name", hint=f"write a list: [{given!r}]"
        )
    return names


def checked(name: object) -> str:
    """`name`, if it may stand in a token; raises `InvalidName`."""
    if not isinstance(name, str):
        raise InvalidName("name", name, "it is no text")
    if not NAME.fullmatch(name):
        raise InvalidName(
            "name", name, "names have 1 to 256 characters, no quotes, brackets or commas"
        )
    return name


def holder_terms(holder: Identity) -> dict[str, str | int]:
    namespace = holder.namespace or subjects.DEFAULT_NAMESPACE
    return {
        "n": namespace,
        "p": holder.protocol,
        "s": holder.session,
        "r": holder.role,
        "i": holder.index or 0,
    }


def moment(seconds: float) -> datetime:
    """A point in time in whole seconds, as Datalog writes it; rounded down."""
    return datetime.fromtimestamp(int(seconds), UTC)
