"""What a token says, in words and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from biscuit_auth import UnverifiedBiscuit

from ..effects.capability.files import write_token
from ..effects.capability.tokens import PublicKey, parsed
from ..effects.capability.verifier import BLOCK_LIMIT, SIZE_LIMIT, Verifier
from ..effects.errors import TokenRefused
from ..effects.identity import Identity
from .escapes import printable

SHOWN = 60
"""Characters that are shown of a line that nobody can use."""

ANYBODY = Identity("any", "Any", "any", "Any")
_RIGHT = re.compile(r'capability\("([^"]*)"\)')
_TIME = re.compile(r"check if time\(\$t\), \$t <= ([0-9TZ:-]+)")
_CHECK = re.compile(r"check if (.*)")


@dataclass(frozen=True, slots=True)
class Block:
    """`party` is the public key of a third party, empty for the others; `lines` its Datalog."""

    party: str
    lines: tuple[str, ...]

    @property
    def capabilities(self) -> tuple[str, ...]:
        return tuple(m[1] for line in self.lines if (m := _RIGHT.fullmatch(line)))

    @property
    def expires(self) -> str:
        return next((m[1] for line in self.lines if (m := _TIME.fullmatch(line))), "")

    @property
    def others(self) -> tuple[str, ...]:
        """What no token of ours has: a runtime refuses it."""
        known = (_RIGHT, _TIME, _CHECK)
        return tuple(ln for ln in self.lines if not any(form.fullmatch(ln) for form in known))

    @property
    def checks(self) -> tuple[str, ...]:
        """Those that are not about the time."""
        found = (line for line in self.lines if not _TIME.fullmatch(line))
        return tuple(m[1] for line in found if (m := _CHECK.fullmatch(line)))

    def described(self) -> Iterator[str]:
        for capability in self.capabilities:
            yield f"allows {capability}"
        for check in self.checks:
            yield f"only for {check}"
        if self.expires:
            yield f"until {self.expires}"
        for line in self.others:
            yield f"says {line[:SHOWN]}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """`refusal` says why no runtime would accept it; `is_verified` whether a root key was given."""

    size: int
    blocks: tuple[Block, ...]
    ids: tuple[str, ...]
    is_verified: bool
    refusal: str

    def as_json(self) -> dict[str, Any]:
        return {
            "bytes": self.size,
            "verified": self.is_verified and not self.refusal,
            "refusal": self.refusal or None,
            "blocks": [
                {
                    "party": block.party or None,
                    "capabilities": list(block.capabilities),
                    "checks": list(block.checks),
                    "expires": block.expires or None,
                    "others": list(block.others),
                    "revocation_id": one,
                }
                for block, one in zip(self.blocks, self.ids, strict=True)
            ],
        }

    def lines(self) -> Iterator[str]:
        """For people: of what others have written, nothing that a terminal would obey."""
        return map(printable, self._lines())

    def _lines(self) -> Iterator[str]:
        signed = "its signature was not checked: give --root"
        if self.is_verified:
            signed = self.refusal or "signed by the authority"
        yield f"{self.size} bytes, {signed}"
        for number, (block, one) in enumerate(zip(self.blocks, self.ids, strict=True)):
            whose = f"endorsed by {block.party[:16]}" if block.party else "narrowed"
            yield f"block {number}, {'the authority' if number == 0 else whose}"
            for line in block.described():
                yield f"  {line}"
            yield f"  revocation id {one[:16]}... (--json shows all of it)"


def inspected(token: bytes, root: PublicKey | None) -> Inspection:
    """Raises `TokenRefused` for what cannot be read at all."""
    if len(token) > 2 * SIZE_LIMIT:
        raise TokenRefused(f"it is longer than {SIZE_LIMIT} bytes")
    try:
        found: Any = UnverifiedBiscuit.from_base64(write_token(token).strip())
    except Exception:  # noqa: BLE001  # the library raises what it likes
        raise TokenRefused("it is damaged") from None
    sources: list[str] = [found.block_source(i) for i in range(found.block_count())]
    parties = [""] * len(sources)
    refusal = ""
    if root is not None:
        try:
            parties = _parties(token, root)
        except TokenRefused as refused:
            refusal = refused.reason
    blocks = tuple(
        Block(party, tuple(line.removesuffix(";") for line in source.split("\n") if line))
        for party, source in zip(parties, sources, strict=True)
    )
    if root is not None and not refusal:
        refusal = _refusal(token, root, blocks)
    refusal = refusal or _unusable(len(token), blocks)
    return Inspection(len(token), blocks, tuple(found.revocation_ids), root is not None, refusal)


def _refusal(token: bytes, root: PublicKey, blocks: tuple[Block, ...]) -> str:
    """Third parties are no reason, whatever is theirs: which of them are believed in what is for
    the verifier to say."""
    claimed: dict[PublicKey, set[str]] = {}
    for block in blocks:
        if block.party:
            names = claimed.setdefault(bytes.fromhex(block.party), set())
            names.update(name.partition(":")[0] for name in block.capabilities)
    try:
        Verifier(root, endorsers=claimed).verify(token, ANYBODY)
    except TokenRefused as refused:
        return refused.reason
    return ""


def _parties(token: bytes, root: PublicKey) -> list[str]:
    from ..effects.capability.biscuit import external_key

    biscuit = parsed(token, root)
    keys = [external_key(biscuit, index) for index in range(biscuit.block_count())]
    return [key.hex() if key else "" for key in keys]


def _unusable(size: int, blocks: tuple[Block, ...]) -> str:
    """What can be said without knowing who has signed."""
    times = [datetime.fromisoformat(block.expires) for block in blocks if block.expires]
    if size > SIZE_LIMIT:
        return f"it is longer than {SIZE_LIMIT} bytes"
    if len(blocks) >= BLOCK_LIMIT:
        return f"it has {len(blocks)} blocks, and no runtime takes more than {BLOCK_LIMIT - 1}"
    return "it has expired" if times and min(times) < datetime.now(UTC) else ""
