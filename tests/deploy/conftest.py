"""What the tests of a deployment share: servers on the permissions that the command prints."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import nats
import pytest

from pavane.broker.embedded import Server
from pavane.broker.options import ConnectOptions

COMMAND = Path(sys.executable).parent / "pavane"
PASSWORD = "correct-horse"

Options = Mapping[str, ConnectOptions]
Where = tuple[str, Options, Callable[[str], dict[str, Any]]]
"""Address, options by user, and the library's own arguments for a user."""
library: Any = nats


def printed(*arguments: str | Path) -> str:
    done = subprocess.run(
        [COMMAND, "permissions", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def users(file: Path) -> dict[str, str]:
    """Inboxes by user."""
    found = json.loads(printed(file, "--format", "json"))["users"]
    return {user["user"]: user["inbox"] for user in found}


@asynccontextmanager
async def serving(
    configuration: str, tmp_path: Path, file: Path, environment: Mapping[str, str], operator: Any
) -> AsyncGenerator[Server]:
    """A nats-server on the configuration, prepared with the command as the operator."""
    place = tmp_path / "users.conf"
    place.write_text(configuration)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server = Server(arguments=("-c", str(place)))
        await server.start()
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [str(COMMAND), "permissions", str(file), "--prepare", "--url", server.url],
            env={**os.environ, **operator},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def by_password(tmp_path: Path, file: Path) -> AsyncGenerator[Where]:
    inboxes = users(file)
    text = printed(file)
    variables = {
        line.split("$")[1].strip(): PASSWORD for line in text.splitlines() if "password:" in line
    }
    assert len(variables) == len(inboxes)
    assert PASSWORD not in text
    options = {
        user: ConnectOptions(user=user, password=PASSWORD, inbox=inbox)
        for user, inbox in inboxes.items()
    }
    operator = {
        "PAVANE_NATS_USER": "pavane-operator",
        "PAVANE_NATS_PASSWORD": PASSWORD,
        "PAVANE_NATS_INBOX": inboxes["pavane-operator"],
    }
    async with serving(text, tmp_path, file, variables, operator) as server:
        yield (
            server.url,
            options,
            lambda user: {"user": user, "password": PASSWORD, "inbox_prefix": inboxes[user]},
        )


@asynccontextmanager
async def by_file(tmp_path: Path, file: Path, kind: str) -> AsyncGenerator[Where]:
    """With `.creds` files (jwt) or nkeys (conf)."""
    inboxes = users(file)
    keys = tmp_path / "keys"
    expires = ("--expires", "1h") if kind == "jwt" else ()
    text = printed(file, "--format", kind, "--keys", keys, *expires)
    secrets = [file.read_text().strip() for file in keys.iterdir() if file.suffix == ".nk"]
    assert secrets and not any(secret in text for secret in secrets)
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys.iterdir())

    def place(user: str) -> str:
        return str(keys / f"{user}.{'creds' if kind == 'jwt' else 'nk'}")

    def option(user: str) -> ConnectOptions:
        if kind == "jwt":
            return ConnectOptions(credentials=place(user), inbox=inboxes[user])
        return ConnectOptions(nkey=place(user), inbox=inboxes[user])

    variable = "PAVANE_NATS_CREDS" if kind == "jwt" else "PAVANE_NATS_NKEY"
    operator = {
        variable: place("pavane-operator"),
        "PAVANE_NATS_INBOX": inboxes["pavane-operator"],
    }
    argument = "user_credentials" if kind == "jwt" else "nkeys_seed"
    async with serving(text, tmp_path, file, {}, operator) as server:
        yield (
            server.url,
            {user: option(user) for user in inboxes},
            lambda user: {argument: place(user), "inbox_prefix": inboxes[user]},
        )


class Hostile:
    """A plain client with somebody's credentials; keeps what it is refused, and what it hears."""

    def __init__(self, url: str, credentials: Mapping[str, Any]) -> None:
        self._url = url
        self._credentials = credentials
        self.refused: set[tuple[str, str]] = set()
        self.heard: list[Any] = []
        self.client: Any = None

    async def __aenter__(self) -> Self:
        inbox = str(self._credentials["inbox_prefix"])
        encoded = {**self._credentials, "inbox_prefix": inbox.encode()}
        self.client = await library.connect(self._url, error_cb=self._on_error, **encoded)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def _on_error(self, error: Exception) -> None:
        found = re.search(r'violation for (publish|subscription) to "([^"]+)"', str(error))
        if found is not None:
            self.refused.add((found[1], found[2]))

    async def _hear(self, message: Any) -> None:
        self.heard.append(message)

    async def attempt(self, says: list[str], listens: list[str]) -> set[tuple[str, str]]:
        """What of it the server did not refuse."""
        for subject in says:
            await self.client.publish(subject, b"x")
        for subject in listens:
            await self.client.subscribe(subject, cb=self._hear)
        async with asyncio.timeout(5):
            # Answered when the server has seen all before it.
            await self.client.request("$JS.API.INFO", b"", timeout=5)
            tried = {("publish", s.lower()) for s in says}
            tried |= {("subscription", s.lower()) for s in listens}
        return tried - self.refused


class Site:
    """Servers on printed permissions, and who tries to get past them."""

    def __init__(self, tmp_path: Path) -> None:
        self._place = tmp_path

    def printed(self, *arguments: str | Path) -> str:
        return printed(*arguments)

    def users(self, file: Path) -> dict[str, str]:
        return users(file)

    def serving(self, kind: str, file: Path) -> AbstractAsyncContextManager[Where]:
        """`password`, `conf` (with nkeys) or `jwt`."""
        if kind == "password":
            return by_password(self._place, file)
        return by_file(self._place, file, kind)

    def hostile(self, url: str, credentials: Mapping[str, Any]) -> Hostile:
        return Hostile(url, credentials)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
