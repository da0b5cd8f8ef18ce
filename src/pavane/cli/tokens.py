"""Tokens and keys for `pavane capability`. A secret is written to a file and never printed,
unless that is what was asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..effects.capability.files import (
    LONGEST,
    read_key,
    read_public_key,
    read_token,
    write_secret,
    write_token,
)
from ..effects.capability.revocation import ID, Revocations
from ..effects.capability.tokens import (
    Authority,
    Key,
    PublicKey,
    TokenLimits,
    endorsed,
    narrowed,
    parsed,
    qualified,
)
from ..effects.capability.verifier import SIZE_LIMIT
from ..effects.errors import TokenRefused
from .brokers import connected, kept_address
from .errors import KeyFileUnusable, UsageError
from .inspection import Inspection, inspected
from .loop import play
from .screen import say, write_json

T = TypeVar("T")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_LIFE = 3650 * 86400
KEPT = "name another file: keys and tokens are never written over one"


@dataclass(frozen=True, slots=True)
class Order:
    """What a token is to allow, as the options say it."""

    capabilities: Sequence[str] | None = None
    namespace: str = ""
    roles: Sequence[str] | None = None
    protocols: Sequence[str] | None = None
    sessions: Sequence[str] | None = None
    lasting: str | None = None

    def names(self) -> list[str]:
        """In full; raises `UsageError`."""
        found = [qualified(name, self.namespace) for name in self.capabilities or ()]
        for given, name in zip(self.capabilities or (), found, strict=True):
            if not all(part.strip() for part in name.partition(":")):
                raise UsageError(
                    f"{given!r} names no capability", hint="write namespace:name, or a bare name"
                )
        return found

    def expires(self) -> float | None:
        return None if self.lasting is None else time.time() + seconds(self.lasting)

    def limits(self, *, with_names: bool = False) -> TokenLimits:
        return TokenLimits(
            capabilities=self.names() if with_names and self.capabilities else None,
            roles=self.roles,
            protocols=self.protocols,
            sessions=self.sessions,
            expires=self.expires(),
        )


def seconds(text: str, option: str = "--for") -> int:
    """`90s`, `30m`, `12h` or `7d`; raises `UsageError`."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < length <= LONGEST_LIFE:
        raise UsageError(
            f"{option} {text} is no length of time up to ten years",
            hint=f"write it like this: {option} 90s, {option} 30m, {option} 12h, {option} 7d",
        )
    return length


# the verbs --------------------------------------------------------------------------------------


def keygen(file: Path, *, show: bool, json: bool) -> None:
    key = Key()
    if show:
        _tell(json, {"secret": key.seed.hex(), "public": key.public.hex()}, key.seed.hex())
        return
    public = file.with_name(f"{file.name}.pub")
    if public.exists():
        raise KeyFileUnusable(public, "it is there already", KEPT)
    _write(file, key.seed.hex() + "\n")
    public.write_text(f"{key.public.hex()} # {file.name}\n", encoding="utf-8")
    told = f"wrote {file}, which stays secret, and {public}\npublic key {key.public.hex()}"
    _tell(json, {"key": str(file), "public_file": str(public), "public": key.public.hex()}, told)


def issue(order: Order, key: Path, out: Path, *, json: bool) -> None:
    authority = Authority(_key(key).seed)
    token = authority.grant(order.names(), order.limits())
    _keep(token, authority.public, out, json=json)


def attenuate(order: Order, token: Path, root: Path, out: Path, *, json: bool) -> None:
    limits = order.limits(with_names=True)
    if limits == TokenLimits():
        raise UsageError(
            "nothing says what the new token shall not allow",
            hint="give --capability, --role, --protocol, --session or --for",
        )
    public = _public(root)
    _keep(narrowed(_token(token), public, limits=limits), public, out, json=json)


def endorse(order: Order, token: Path, key: Path, root: Path, out: Path, *, json: bool) -> None:
    public = _public(root)
    more = endorsed(_token(token), public, _key(key), order.names(), expires=order.expires())
    _keep(more, public, out, json=json)


def inspect(token: Path, root: Path | None, *, json: bool) -> None:
    found = inspected(_token(token), _public(root) if root is not None else None)
    _show(found, json=json)
    if found.refusal:
        raise TokenRefused(found.refusal)


def revoke(
    token: Path | None,
    key: Path | None,
    ids: list[str],
    reason: str,
    url: str | None,
    store: Path | None,
    *,
    allow_remote: bool,
    json: bool,
) -> None:
    if key is None or not (token or ids):
        raise UsageError(
            "revoking takes a token or --id, and the key of the authority",
            hint="pavane capability revoke pilot.token --key root.key",
        )
    authority = _key(key)
    ids = [one.lower() for one in ids]
    for one in ids:
        if not ID.fullmatch(one):
            raise UsageError(
                f"--id {one[:20]!r} is no whole revocation id, which has 128 hexadecimal digits",
                hint="`pavane capability inspect TOKEN --json` shows it",
            )
    # A token of another authority cannot be revoked with this key, and is refused here.
    named = [*ids, *([parsed(_token(token), authority.public).revocation_ids[-1]] if token else [])]

    async def main() -> None:
        where = kept_address(url, store)
        async with connected(where, store, allow_remote=allow_remote) as broker:
            revocations = Revocations(broker, authority.public)
            await revocations.revoke(named, authority, reason=reason)

    play(main)
    told = "\n".join(f"revoked {one}" for one in named)
    _tell(json, {"revoked": named, "reason": reason}, told)


# showing ----------------------------------------------------------------------------------------


def _show(found: Inspection, *, json: bool) -> None:
    if json:
        write_json(found.as_json())
        return
    for line in found.lines():
        say(line)


def _keep(token: bytes, root: PublicKey, out: Path, *, json: bool) -> None:
    found = inspected(token, root)
    if len(token) > SIZE_LIMIT:
        raise UsageError(
            f"the token would have {len(token)} bytes, and {SIZE_LIMIT} are accepted",
            hint="give fewer or shorter names",
        )
    if found.refusal:
        raise TokenRefused(found.refusal)
    _write(out, write_token(token))
    if json:
        write_json({"token": str(out), **found.as_json()})
        return
    say(f"wrote {out}")
    for line in found.lines():
        say(line)


def _tell(json: bool, value: dict[str, object], text: str) -> None:
    if json:
        write_json(value)
    else:
        say(text)


# files ------------------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    try:
        write_secret(path, text)
    except FileExistsError:
        raise KeyFileUnusable(path, "it is there already", KEPT) from None
    except OSError as error:
        raise KeyFileUnusable(path, error.strerror or str(error)) from None


def _token(path: Path) -> bytes:
    return _read(path, read_token, "no token")


def _key(path: Path) -> Key:
    if path.suffix == ".pub":
        raise KeyFileUnusable(path, "this is the public key, and the secret one is needed")
    return _read(path, read_key, "no key of 64 hexadecimal digits")


def _public(path: Path) -> PublicKey:
    if path.suffix != ".pub" and path.with_name(f"{path.name}.pub").exists():
        raise KeyFileUnusable(path, f"this is the secret key; give {path.name}.pub")
    return _read(path, read_public_key, "no key of 64 hexadecimal digits")


def _read(path: Path, parse: Callable[[str], T], nothing: str) -> T:
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(LONGEST)
    except OSError as error:
        raise KeyFileUnusable(path, error.strerror or str(error)) from None
    except ValueError:
        raise KeyFileUnusable(path, f"it holds {nothing}") from None
    try:
        return parse(text)
    except (ValueError, TokenRefused):
        raise KeyFileUnusable(path, f"it holds {nothing}") from None


# for a run ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entrusted:
    """Whose tokens a run believes; without `tokens` it issues its own."""

    tokens: dict[str, bytes] | None = None
    root: PublicKey | None = None
    endorsers: dict[PublicKey, list[str]] | None = None


def entrusted(
    files: Mapping[str, tuple[str, ...]],
    root: Path | None,
    endorsers: Mapping[str, tuple[str, ...]],
) -> Entrusted:
    """`--token Pilot=pilot.token --root root.key.pub --endorser bank=bank.key.pub`, read.

    Raises `UsageError`.
    """
    if bool(files) != (root is not None):
        raise UsageError(
            "--token and --root go together",
            hint="--root is the public key of the authority that issued the tokens",
        )
    if not files:
        return Entrusted()
    for role, given in files.items():
        if len(given) != 1:
            raise UsageError(f"--token {role}: a role has one token", hint="give one file")
    tokens = {role: _token(Path(given[0])) for role, given in files.items()}
    known: dict[PublicKey, list[str]] = {}
    for namespace, given in endorsers.items():
        for file in given:
            known.setdefault(_public(Path(file)), []).append(namespace)
    return Entrusted(tokens, None if root is None else _public(root), known)
