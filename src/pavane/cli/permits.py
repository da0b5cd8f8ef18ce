"""The work of `pavane permissions`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..actors.deployment.permissions import Permit, permits
from ..actors.deployment.prepare import prepare
from ..broker.connect import connect
from ..broker.nats import configuration, credentials
from ..broker.nats.allowed import Allowed
from ..broker.nats.credentials import Key, Kind
from ..broker.subjects import token
from ..language.compiler import Compiled
from .brokers import EMBEDDED, options
from .errors import KeysUnusable, UsageError
from .loop import play
from .protocols import judge, refuse
from .screen import complaints, say, write_json

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

HEAD = """\
# What every role must be allowed, and no more: `pavane permissions`.
# Include it in the configuration of a nats-server with JetStream: include "./users.conf"
# Each process is given the user and the inbox that stand above its permissions.
"""


@dataclass(frozen=True, slots=True)
class Request:
    files: list[str]
    roles: tuple[str, ...]
    format: str
    keys: Path | None
    account: str
    expires: str
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What `--prepare` sets: budgets of roles, what observers may learn, the lease of workers."""

    budgets: Mapping[str, int]
    leakage: Mapping[str, int]
    lease: float | None


def show(request: Request) -> None:
    """Print what was asked for; keys and credentials go to files that only the user can read."""
    token(request.account)
    seconds = _seconds(request)
    everybody = permits(_compiled(request.files), durable=request.durable)
    found = _chosen(everybody, request.roles)
    if request.format == "json":
        write_json({"users": [_as_json(permit) for permit in found]})
    elif request.format == "jwt":
        _show_tokens(everybody, found, request, seconds)
    else:
        _show_users(found, request)


def _compiled(files: list[str]) -> list[Compiled]:
    judged = judge(files, {})
    refuse(judged)
    return [one.compiled for one in judged if one.compiled is not None]


def _chosen(found: list[Permit], roles: tuple[str, ...]) -> list[Permit]:
    """All, or the users of the roles, named as in the protocol or in full."""
    if not roles:
        return found
    known = {name for permit in found for name in (permit.user, permit.user.rpartition(".")[2])}
    for role in roles:
        if role not in known:
            names = ", ".join(sorted(permit.user.rpartition(".")[2] for permit in found))
            raise UsageError(f"--role {role}: no such role", hint=f"there are {names}")
    return [p for p in found if p.user in roles or p.user.rpartition(".")[2] in roles]


def _seconds(request: Request) -> int | None:
    if not request.expires:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", request.expires)
    if match is None:
        raise UsageError(
            f"--expires {request.expires}: this is no length of time",
            hint="write a number and s, m, h or d: --expires 90d",
        )
    if request.format != "jwt":
        raise UsageError(
            "--expires goes with --format jwt alone", hint="a password or an nkey does not end"
        )
    return int(match[1]) * UNITS[match[2]]


def _as_json(permit: Permit) -> Mapping[str, object]:
    return {
        "user": permit.user,
        "inbox": permit.inbox,
        "publish": permit.publish,
        "subscribe": permit.subscribe,
    }


# --- configuration with users ------------------------------------------------------------------


def _show_users(found: list[Permit], request: Request) -> None:
    cabinet = None if request.keys is None else Cabinet(request.keys)
    identify = _by_password if cabinet is None else _by_key(cabinet)
    users = [(*identify(permit), _allowed(permit)) for permit in found]
    sys.stdout.write(HEAD + configuration.account(request.account, users))
    if cabinet is not None:
        cabinet.report()


def _by_password(permit: Permit) -> tuple[configuration.Identity, str]:
    comment = f"PAVANE_NATS_USER={permit.user} PAVANE_NATS_PASSWORD=... {_inbox(permit)}"
    return configuration.with_password(permit.user), comment


def _by_key(cabinet: Cabinet) -> Callable[[Permit], tuple[configuration.Identity, str]]:
    def identify(permit: Permit) -> tuple[configuration.Identity, str]:
        key = cabinet.key(permit.user, "user")
        place = cabinet.directory / f"{permit.user}.nk"
        return {"nkey": key.public}, f"PAVANE_NATS_NKEY={place} {_inbox(permit)}"

    return identify


def _inbox(permit: Permit) -> str:
    return f"PAVANE_NATS_INBOX={permit.inbox}"


def _allowed(permit: Permit) -> Allowed:
    return Allowed(permit.publish, permit.subscribe)


# --- configuration with tokens -------------------------------------------------------------------


def _show_tokens(
    everybody: list[Permit], found: list[Permit], request: Request, seconds: int | None
) -> None:
    """The account knows everybody; credentials are written for those that were asked for."""
    if request.keys is None:
        raise UsageError(
            "--format jwt signs with keys, and there are none",
            hint="say where they are to be kept: --keys DIR",
        )
    cabinet = Cabinet(request.keys)
    operator, account, system = (
        cabinet.key("operator", "operator"),
        cabinet.key(f"account-{request.account}", "account"),
        cabinet.key("account-SYS", "account"),
    )
    scopes = {permit.user: cabinet.key(f"scope-{permit.user}", "account") for permit in everybody}
    known = {scopes[p.user].public: (p.user, _allowed(p)) for p in everybody}
    accounts = {
        account.public: credentials.account_token(operator, account.public, request.account, known),
        system.public: credentials.account_token(operator, system.public, "SYS", None),
    }
    signed = credentials.operator_token(operator, "pavane", system.public)
    lines = [_signed(cabinet, account, scopes[p.user], p, seconds) for p in found]
    comments = "".join(f"# {line}\n" for line in lines)
    sys.stdout.write(HEAD + comments + configuration.resolver(signed, system.public, accounts))
    cabinet.report()


def _signed(cabinet: Cabinet, account: Key, scope: Key, permit: Permit, seconds: int | None) -> str:
    """Write one user's credentials, and say where they are."""
    user = cabinet.key(permit.user, "user")
    signed = credentials.user_token(
        scope, account.public, user.public, permit.user, seconds=seconds
    )
    place = cabinet.write(f"{permit.user}.creds", credentials.creds_file(signed, user))
    return f"PAVANE_NATS_CREDS={place} {_inbox(permit)}"


class Cabinet:
    """A directory of keys, each in a file that nobody else can read. What is there is kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._written: list[str] = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise KeysUnusable(directory, error.strerror or str(error)) from None

    def key(self, name: str, kind: Kind) -> Key:
        place = self.directory / f"{name}.nk"
        try:
            return credentials.read_key(place.read_text("ascii"), kind)
        except FileNotFoundError:
            key = credentials.new_key(kind)
            self.write(place.name, f"{key.seed}\n")
            return key
        except (OSError, ValueError) as error:
            raise KeysUnusable(place, getattr(error, "strerror", "") or str(error)) from None

    def write(self, name: str, text: str) -> Path:
        place = self.directory / name
        try:
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            raise KeysUnusable(place, error.strerror or str(error)) from None
        self._written.append(name)
        return place

    def report(self) -> None:
        """Say on the standard error what is new: the standard output is the configuration."""
        if self._written:
            count = len(self._written)
            what = "1 file" if count == 1 else f"{count} files"
            say(f"{what} written to {self.directory}, for its owner alone", console=complaints())


# --- on a server -----------------------------------------------------------------------------------


def prepare_server(
    request: Request,
    url: str | None,
    limits: Limits,
    *,
    allow_remote: bool,
    asked: bool,
) -> None:
    if not asked:
        raise UsageError(
            "--budget, --leakage and --lease are set on a server", hint="add --prepare and --url"
        )
    if url in (None, EMBEDDED):
        raise UsageError(
            "which server is to be prepared?", hint="give --url nats://host:port, or PAVANE_URL"
        )
    assert url is not None
    compiled = _compiled(request.files)
    roles = {role.name for one in compiled for role in one.protocol.roles}
    for role in sorted(set(limits.budgets) - roles):
        raise UsageError(f"--budget {role}: no such role", hint=f"there are {', '.join(roles)}")
    address = url
    for line in play(lambda: _prepared(address, compiled, limits, allow_remote=allow_remote)):
        say(line)


async def _prepared(
    url: str,
    compiled: Iterable[Compiled],
    limits: Limits,
    *,
    allow_remote: bool,
) -> list[str]:
    chosen = replace(options(None, allow_remote=allow_remote), scoped=False)
    broker = await connect(url, options=chosen)
    try:
        return await prepare(
            broker, compiled, budgets=limits.budgets, leakage=limits.leakage, lease=limits.lease
        )
    finally:
        await broker.close()
