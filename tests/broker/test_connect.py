from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from nats.aio.client import Client

from pavane.broker.binary import nats_server as find_program
from pavane.broker.connect import connect
from pavane.broker.embedded import Server, free_ports
from pavane.broker.errors import (
    BadAddress,
    BadSubject,
    BrokerError,
    Forbidden,
    InsecureAddress,
    NoJetStream,
    ServerTooOld,
    ServerUnreachable,
    StreamRefused,
)
from pavane.broker.nats import address as addresses
from pavane.broker.nats.dialling import shut
from pavane.broker.nats.library import drop_transport
from pavane.broker.options import ConnectOptions, from_environment

Until = Callable[..., Awaitable[None]]


async def test_a_server_that_is_not_there_is_said_within_two_seconds() -> None:
    (port,) = free_ports(1)
    began = time.perf_counter()
    with pytest.raises(ServerUnreachable) as caught:
        await connect(f"nats://127.0.0.1:{port}")
    assert time.perf_counter() - began < 2
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "nats-server -js" in caught.value.hint


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO {\r\n"])
async def test_what_is_no_nats_server_is_said(greeting: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        began = time.perf_counter()
        with pytest.raises(ServerUnreachable):
            await connect(f"nats://127.0.0.1:{port}")
        assert time.perf_counter() - began < 2.5


async def test_a_server_without_jetstream_is_said(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    arguments = ["-a", "127.0.0.1", "-p", str(port)]
    process = await asyncio.create_subprocess_exec(
        str(find_program()), *arguments, stderr=subprocess.DEVNULL
    )
    try:
        with pytest.raises(NoJetStream) as caught:
            await connect(f"nats://127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()
    assert "-js" in caught.value.hint


@asynccontextmanager
async def old_server(level: int) -> AsyncGenerator[str]:
    """Speaks as much NATS as a client needs to ask for the account's information, as no server
    that old can be installed here."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"version":"2.11.4","max_payload":1048576}\r\n')
        sid = b"1"
        while line := await reader.readline():
            words = line.split()
            if words[0] == b"PING":
                writer.write(b"PONG\r\n")
            elif words[0] == b"SUB":
                sid = words[-1]
            elif words[0] == b"PUB":
                await reader.readexactly(int(words[-1]) + 2)
                body = b'{"api":{"level":%d}}' % level
                reply = words[2] if len(words) == 4 else words[1]
                writer.write(b"MSG %s %s %d\r\n%s\r\n" % (reply, sid, len(body), body))
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_too_old_is_said() -> None:
    async with old_server(level=1) as url:
        with pytest.raises(ServerTooOld) as caught:
            await connect(url)
        assert caught.value.version == "2.11.4"
        assert caught.value.wanted == "2.12"
    async with old_server(level=2) as url:
        await (await connect(url)).close()


async def test_credentials_open_and_wrong_ones_are_said_without_being_repeated() -> None:
    async with Server(arguments=("--user", "ann", "--pass", "s3cret")) as server:
        host = server.url.removeprefix("nats://")
        await (await connect(f"nats://ann:s3cret@{host}")).close()
        options = ConnectOptions(user="ann", password="s3cret")
        await (await connect(server.url, options=options)).close()
        with pytest.raises(ServerUnreachable, match="credentials") as caught:
            await connect(f"nats://ann:wr0ng@{host}")
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(ServerUnreachable, match="credentials"):
            await connect(server.url)
    assert "s3cret" not in repr(options)


async def test_what_permissions_refuse_is_said_at_once(tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text(
        textwrap.dedent("""
            authorization { users = [ {
                user: ann, password: pass,
                permissions: { publish: { deny: ["secret.>"] }, subscribe: { deny: ["secret.>"] } }
            } ] }
        """)
    )
    async with Server(arguments=("-c", str(config))) as server:
        broker = await connect(server.url.replace("nats://", "nats://ann:pass@"))
        with pytest.raises(Forbidden, match=r"secret\.x"):
            await broker.subscribe("secret.x", lambda _s, _p: None)
        await broker.ensure_stream("S", ["secret.>"])
        began = time.perf_counter()
        with pytest.raises(Forbidden, match=r"secret\.y"):
            await broker.append("S", "secret.y", b"")
        assert time.perf_counter() - began < 1
        await broker.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nats",
        "http://x",
        "nats://",
        "nats://:4222",
        "nats://h:99999",
        "nats://h:x",
        "nats://h/path",
        "nats://h:0",
        "nats://a,,b",
        "nats://[::1",
    ],
)
async def test_a_bad_address_is_a_bad_address(url: str) -> None:
    with pytest.raises(BadAddress):
        await connect(url, options=ConnectOptions(allow_remote=True))


def test_a_bad_address_does_not_repeat_its_password() -> None:
    with pytest.raises(BadAddress) as caught:
        addresses.parse("nats://ann:s3cret@host:x")
    assert "s3cret" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    address = addresses.parse("nats://ann:s3cret@one:1,ann:s3cret@[::1]")
    assert address.shown == "nats://one:1,[::1]:4222"
    assert address.hosts == ("one", "::1")
    assert address.credentials


REMOTE = [
    "nats://example.org",
    "nats://10.0.0.1:4222",
    "nats://127.0.0.1,192.168.1.1",
    "nats://[fe80::1]",
]


@pytest.mark.parametrize("url", REMOTE)
async def test_a60_an_address_elsewhere_without_tls_and_credentials_is_refused(url: str) -> None:
    with pytest.raises(InsecureAddress, match="TLS"):
        await connect(url)
    with pytest.raises(InsecureAddress, match="TLS"):
        await connect(url.replace("://", "://user:pass@"))
    with pytest.raises(InsecureAddress, match="credentials"):
        await connect(url.replace("nats://", "tls://"))


def test_a60_tls_with_credentials_loopback_or_a_word_allow_it() -> None:
    remote, plain = addresses.parse("tls://example.org"), addresses.parse("nats://example.org")
    addresses.check(remote, ConnectOptions(credentials="x.creds"))
    addresses.check(addresses.parse("tls://u:p@example.org"), ConnectOptions())
    addresses.check(plain, ConnectOptions(allow_remote=True))
    for url in ("nats://localhost", "nats://127.0.0.1:1", "nats://127.9.9.9", "nats://[::1]:4"):
        addresses.check(addresses.parse(url), ConnectOptions())
    for url in ("nats://localhost.example.org", "nats://0.0.0.0", "nats://127.0.0.1.example.org"):
        with pytest.raises(InsecureAddress):
            addresses.check(addresses.parse(url), ConnectOptions())


def test_the_environment_fills_what_options_leave_open() -> None:
    environment = {
        "PAVANE_NATS_USER": "ann",
        "PAVANE_NATS_PASSWORD": "pw",
        "PAVANE_ALLOW_REMOTE": "1",
        "PAVANE_REPLICAS": "3",
    }
    found = from_environment(ConnectOptions(), environment)
    assert (found.user, found.password, found.allow_remote, found.replicas) == (
        "ann",
        "pw",
        True,
        3,
    )
    kept = from_environment(ConnectOptions(token="t", replicas=5), environment)
    assert (kept.user, kept.token, kept.replicas) == (None, "t", 5)
    with pytest.raises(BadAddress):
        from_environment(ConnectOptions(), {"PAVANE_REPLICAS": "many"})


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
async def test_tls_connects_with_the_right_authority_and_not_without(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    make += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    await asyncio.to_thread(subprocess.run, make, check=True, capture_output=True)
    tls = ("--tls", "--tlscert", str(certificate), "--tlskey", str(key))
    async with Server(arguments=(*tls, "--user", "ann", "--pass", "pw")) as server:
        url = f"tls://ann:pw@localhost:{server.port}"
        broker = await connect(url, options=ConnectOptions(ca=str(certificate)))
        await broker.set_limit("x", 1)
        assert (await broker.spend("x", 1)).spent == 1
        await broker.close()
        with pytest.raises(ServerUnreachable, match="certificate"):
            await connect(url)


async def test_certificates_that_cannot_be_read_are_said() -> None:
    options = ConnectOptions(ca="/no/such/file", user="u", password="p")
    with pytest.raises(BadAddress, match="/no/such/file"):
        await connect("tls://127.0.0.1", options=options)


async def test_memory_is_shared_by_name_and_gone_with_the_last_connection(unique: str) -> None:
    first, second = await connect(f"memory://{unique}"), await connect(f"memory://{unique}")
    await first.ensure_stream("S", ["s.>"])
    await first.append("S", "s.a", b"")
    await first.close()
    assert len([r async for r in second.read("S")]) == 1
    alone = await connect("memory://")
    with pytest.raises(StreamRefused):
        await alone.last("S", "s.a")
    await second.close()
    third = await connect(f"memory://{unique}")
    with pytest.raises(StreamRefused):
        await third.last("S", "s.a")
    await third.close()
    await alone.close()
    with pytest.raises(BadSubject):
        await connect("memory://a b")


def test_uvloop_runs_it_all() -> None:
    pytest.importorskip("uvloop")
    script = """
        import asyncio, uvloop
        from pavane.broker.connect import connect

        async def main():
            a = await connect("embedded")
            b = await connect(a.address)
            got = asyncio.Event()
            await b.subscribe("x", lambda s, p: got.set())
            a.publish("x", b"")
            await asyncio.wait_for(got.wait(), 5)
            await a.ensure_stream("S", ["s.>"])
            await asyncio.gather(*(a.append("S", "s.a", b"") for _ in range(50)))
            assert len([r async for r in b.read("S")]) == 50
            await a.ensure_queue("Q")
            await a.put("Q", b"x")
            await (await b.take("Q", timeout=5)).done()
            await a.set_limit("c", 5)
            assert (await b.spend("c", 5)).spent == 5
            await b.close()
            await a.close()

        uvloop.run(main())
        print("whole")
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("whole\n", "")


def test_every_error_has_a_code_of_its_own() -> None:
    def tree(kind: type[BrokerError]) -> list[type[BrokerError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in tree(sub))]

    kinds = tree(BrokerError)
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 5 and code.startswith("PV") for code in codes)


@pytest.mark.parametrize("reconnecting", [False, True], ids=["at rest", "reconnecting"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection_whose_server_has_gone_is_closed(loop: str, reconnecting: bool) -> None:
    """Where uvloop refuses to write what was not sent yet, asyncio only says that it is lost. Who
    reconnects may wait for the end of the lost transport, and be cancelled there."""
    new_loop = pytest.importorskip(loop).new_event_loop

    async def main() -> None:
        server = Server()
        await server.start()
        client: Any = Client()
        await client.connect([server.url], reconnect_time_wait=0.05)
        await server.kill()
        while client.is_connected:
            await asyncio.sleep(0.01)
        client._pending, client._pending_data_size = [b"PING\r\n"], 6
        if reconnecting:
            client._transport._io_writer._protocol._closed.cancel()
        else:
            drop_transport(client)
        await shut(client)
        await server.stop()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


async def test_who_is_cancelled_while_a_connection_is_closed_is_cancelled() -> None:
    class Endless:
        is_connected = True

        async def close(self) -> None:
            await asyncio.Event().wait()

    closing = asyncio.create_task(shut(cast("Any", Endless())))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
