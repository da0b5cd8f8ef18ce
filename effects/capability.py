"""Capabilities as Biscuit tokens: what an authority issues and a holder may narrow.

A token is made for one role instance in one session. Its first block holds one
`capability("namespace:name")` for each right, and checks that tie it to its holder:

    check if holder("namespace", "Protocol", "session", "Role", 0);
    check if time($t), $t <= 2026-11-23T21:27:45Z;

A holder narrows it offline by further blocks of the checks that `narrowed` writes. They are the
only ones a `Verifier` takes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from biscuit_auth import Biscuit, BiscuitBuilder, BlockBuilder, KeyPair

from ..broker import subjects
from .biscuit import private_key, public_key
from .errors import TokenRefused
from .identity import Identity

PublicKey = bytes
"""The 32 bytes of an Ed25519 public key."""


def qualified(capability: str, namespace: str) -> str:
    """`namespace:name`; a bare name belongs to the namespace of the protocol that says it."""
    if ":" in capability:
        return capability
    return f"{namespace or subjects.DEFAULT_NAMESPACE}:{capability}"


class Authority:
    """The root key of a deployment: new, or from a 32-byte `seed` that its owner keeps secret."""

    def __init__(self, seed: bytes | None = None) -> None:
        if seed is None:
            self._keys = KeyPair()
        else:
            self._keys = KeyPair.from_private_key(private_key(seed))

    @property
    def public(self) -> PublicKey:
        """What verifiers need."""
        return bytes(self._keys.public_key.to_bytes())

    def issue(self, holder: Identity, capabilities: Collection[str], expires: float) -> bytes:
        """A token of `holder` for `capabilities`, until `expires` (seconds since 1970)."""
        builder = BiscuitBuilder()
        for capability in sorted({qualified(c, holder.namespace) for c in capabilities}):
            builder.add_code("capability({c});", {"c": capability})
        builder.add_code(
            "check if holder({n}, {p}, {s}, {r}, {i}); check if time($t), $t <= {e};",
            {**holder_terms(holder), "e": moment(expires)},
        )
        return bytes(builder.build(self._keys.private_key).to_bytes())


def narrowed(
    token: bytes,
    root: PublicKey,
    *,
    capabilities: Collection[str] | None = None,
    expires: float | None = None,
) -> bytes:
    """`token` with less authority: fewer capabilities (full names), a shorter time, or both.

    Needs no authority and no network. Raises `TokenRefused` for bytes that are no token.
    """
    block = BlockBuilder("")
    if capabilities is not None:
        # An empty list would be no check at all; nothing is ever requested under this name.
        names = sorted(capabilities) or [":"]
        terms = {f"c{i}": name for i, name in enumerate(names)}
        asked = " or ".join(f"requested({{{term}}})" for term in terms)
        block.add_code(f"check if {asked};", terms)
    if expires is not None:
        block.add_code("check if time($t), $t <= {e};", {"e": moment(expires)})
    try:
        biscuit = Biscuit.from_bytes(token, public_key(root))
    except Exception as error:
        raise TokenRefused("it is damaged, or signed by another authority") from error
    return bytes(biscuit.append(block).to_bytes())


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
