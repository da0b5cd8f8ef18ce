"""Every way to show a server who we are, on servers that insist."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.broker.errors import BadAddress, BadSubject, NotConnected, ServerUnreachable
from pavane.broker.nats.credentials import new_key
from pavane.broker.options import ConnectOptions, from_environment


class Papers:
    """An authority, a server's certificate, and a client's."""

    def __init__(self, place: Path) -> None:
        self.authority, client = trustme.CA(), place / "client.pem"
        self.ca, self.server, self.client = place / "ca.pem", place / "server.pem", client
        self.authority.cert_pem.write_to_path(self.ca)
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(self.server)
        own = self.authority.issue_cert("pavane@example.org")
        own.private_key_and_cert_chain_pem.write_to_path(client)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Papers]:
    yield Papers(tmp_path_factory.mktemp("papers"))


@asynccontextmanager
async def serving(place: Path, papers: Papers, rest: str) -> AsyncGenerator[Server]:
    configuration = place / "nats.conf"
    tls = f'cert_file: "{papers.server}", key_file: "{papers.server}"'
    if "verify" in rest:
        tls, rest = f'{tls}, ca_file: "{papers.ca}", verify: true', rest.replace("verify", "")
    configuration.write_text(f"tls {{ {tls} }}\n{rest}\n")
    async with Server(arguments=("-c", str(configuration))) as server:
        yield server


async def works(url: str, options: ConnectOptions) -> None:
    broker = await connect(url, options=options)
    try:
        await broker.set_limit("works", 1)
        assert (await broker.spend("works", 1)).spent == 1
    finally:
        await broker.close()


@pytest.mark.parametrize("way", ["password", "token", "nkey", "certificate"])
async def test_tls_and_credentials_through_options_and_environment(
    way: str, papers: Papers, tmp_path: Path
) -> None:
    key = new_key("user")
    seed = tmp_path / "user.nk"
    seed.write_text(key.seed)
    ways = {
        "password": (
            'authorization { user: "ann", password: "pw" }',
            {"PAVANE_NATS_USER": "ann", "PAVANE_NATS_PASSWORD": "pw"},
        ),
        "token": ('authorization { token: "t0ken" }', {"PAVANE_NATS_TOKEN": "t0ken"}),
        "nkey": (
            f'authorization {{ users = [ {{ nkey: "{key.public}" }} ] }}',
            {"PAVANE_NATS_NKEY": str(seed)},
        ),
        "certificate": ("verify", {"PAVANE_NATS_CERT": str(papers.client)}),
    }
    rest, environment = ways[way]
    trusted = {"PAVANE_NATS_CA": str(papers.ca)}
    async with serving(tmp_path, papers, rest) as server:
        url = f"tls://localhost:{server.port}"
        await works(url, from_environment(ConnectOptions(), {**environment, **trusted}))
        with pytest.raises(ServerUnreachable):
            await connect(url, options=from_environment(ConnectOptions(), trusted))
        with pytest.raises(ServerUnreachable, match="certificate"):
            await connect(url, options=from_environment(ConnectOptions(), environment))


async def test_a_connection_ends_without_a_complaint(
    papers: Papers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, papers, "") as server:
        await works(f"tls://localhost:{server.port}", ConnectOptions(ca=str(papers.ca)))
    assert not caplog.records


class Listener:
    """A server that speaks no TLS, and keeps what it is told."""

    def __init__(self) -> None:
        self.calls = 0
        self.heard = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        information = {"server_id": "x", "version": "2.12.0", "headers": True, "max_payload": 1024}
        writer.write(b"INFO " + json.dumps(information).encode() + b"\r\n")
        with suppress(ConnectionError):
            self.heard += await reader.read(4096)
            writer.close()
            await writer.wait_closed()


async def test_a60_a_server_without_tls_hears_nothing_where_tls_was_asked_for(
    papers: Papers,
) -> None:
    listener = Listener()
    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    secret = ConnectOptions(user="ann", password="secret", ca=str(papers.ca))
    context = replace(secret, ca=None, tls=ssl.create_default_context())
    async with server:
        for url, options in (
            (f"tls://127.0.0.1:{port}", secret),
            (f"tls://127.0.0.1:{port}", replace(secret, allow_remote=True)),
            (f"nats://127.0.0.1:{port}", context),
        ):
            with pytest.raises(ServerUnreachable, match="does not offer TLS") as refused:
                await connect(url, options=options)
            assert refused.value.answers
    assert listener.calls
    assert not listener.heard


async def test_a60_a_server_that_comes_back_without_tls_hears_nothing(
    papers: Papers, tmp_path: Path
) -> None:
    listener = Listener()
    async with serving(tmp_path, papers, 'authorization { user: "ann", password: "pw" }') as server:
        options = ConnectOptions(user="ann", password="pw", ca=str(papers.ca))
        broker = await connect(f"tls://127.0.0.1:{server.port}", options=options)
        port = server.port
    try:
        async with await asyncio.start_server(listener, "127.0.0.1", port):
            async with asyncio.timeout(10):
                while listener.calls < 3:
                    await asyncio.sleep(0.02)
            with pytest.raises(NotConnected):
                broker.publish("a.b", b"")
    finally:
        async with asyncio.timeout(10):
            await broker.close()
    assert not listener.heard


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("certificate", "file with a certificate and its key"),
        ("ca", "file of certificates"),
        ("credentials", "file of credentials"),
        ("nkey", "file with an nkey"),
    ],
)
async def test_a_file_that_cannot_be_read_is_said(papers: Papers, name: str, kind: str) -> None:
    options = replace(ConnectOptions(ca=str(papers.ca)), **{name: "/no/such/file"})  # type: ignore[arg-type]
    with pytest.raises(BadAddress, match=f"'/no/such/file' is not a {kind}: No such file") as said:
        await connect("tls://127.0.0.1", options=options)
    assert "see PAVANE_NATS_" in (said.value.hint or "")


def test_an_inbox_of_its_own_makes_a_connection_scoped() -> None:
    options = from_environment(ConnectOptions(), {"PAVANE_NATS_INBOX": "_INBOX.shop.Buyer"})
    assert options.inbox == "_INBOX.shop.Buyer"
    assert options.is_scoped
    assert not ConnectOptions().is_scoped
    for bad in ("_INBOX.>", "_INBOX..x", "a b"):
        with pytest.raises(BadSubject):
            from_environment(ConnectOptions(), {"PAVANE_NATS_INBOX": bad})
