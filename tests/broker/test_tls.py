"""Every way to show a server who we are, on servers that insist."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from pavane.broker.connect import connect
from pavane.broker.embedded import Server
from pavane.broker.errors import BadAddress, BadSubject, ServerUnreachable
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


async def test_a_certificate_that_cannot_be_read_is_said(papers: Papers) -> None:
    options = ConnectOptions(ca=str(papers.ca), certificate="/no/such/file")
    with pytest.raises(BadAddress, match="/no/such/file"):
        await connect("tls://127.0.0.1", options=options)


def test_an_inbox_of_its_own_makes_a_connection_scoped() -> None:
    options = from_environment(ConnectOptions(), {"PAVANE_NATS_INBOX": "_INBOX.shop.Buyer"})
    assert options.inbox == "_INBOX.shop.Buyer"
    assert options.is_scoped
    assert not ConnectOptions().is_scoped
    for bad in ("_INBOX.>", "_INBOX..x", "a b"):
        with pytest.raises(BadSubject):
            from_environment(ConnectOptions(), {"PAVANE_NATS_INBOX": bad})
