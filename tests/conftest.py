"""Brokers for every test: one nats-server for the whole run, a memory hub for each test."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from pavane.broker.connect import connect
from pavane.broker.contract import Broker
from pavane.broker.embedded import Server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started behind a `&`, a run inherits that Ctrl-C is ignored, and so would all it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Signing keys and known journals that are not the user's own, here and in what is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("PAVANE_KEY", raising=False)
        yield


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Server]:
    """A nats-server with JetStream on loopback. Shared: do not stop it."""
    server = Server()
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def nats_url(nats_server: Server) -> str:
    return nats_server.url


@pytest.fixture
def unique() -> str:
    """A name that no other test uses, as they share one server."""
    return f"t{secrets.token_hex(6)}"


@pytest.fixture(params=["memory", "nats"])
def broker_url(request: pytest.FixtureRequest, unique: str) -> str:
    """An address whose connections reach each other, once for each driver."""
    if request.param == "memory":
        return f"memory://{unique}"
    url: str = request.getfixturevalue("nats_url")
    return url


@pytest.fixture
async def broker(broker_url: str) -> AsyncIterator[Broker]:
    connection = await connect(broker_url)
    yield connection
    await connection.close()
