"""The three nodes of docker-compose.yml, as far as Docker is not needed: their very configuration
on three loopback ports, and a protocol run against such a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pavane.broker.embedded import free_ports

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def configuration(client: int, http: int, own: int, routes: list[int], store: Path) -> str:
    """What the compose file gives each node, with the containers' addresses made loopback."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    text: str = compose["configs"]["node"]["content"]
    for name, port in zip(("nats-1", "nats-2", "nats-3"), routes, strict=True):
        text = replaced(text, f"nats://{name}:6222", f"nats://127.0.0.1:{port}")
    text = replaced(text, "port: 4222", f"host: 127.0.0.1\nport: {client}")
    text = replaced(text, "http: 8222", f"http: 127.0.0.1:{http}")
    text = replaced(text, '"0.0.0.0:6222"', f'"127.0.0.1:{own}"')
    return replaced(text, '"/data"', f'"{store}"')


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the compose file no longer says {old}"
    return text.replace(old, new)


@contextmanager
def node(folder: Path, name: str, text: str) -> Generator[None]:
    file = folder / f"{name}.conf"
    file.write_text(text)
    process = subprocess.Popen(
        [BIN / "nats-server", "--config", file, "--name", name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def healthy(http: int) -> bool:
    """What the container's health check asks."""
    try:
        url = f"http://127.0.0.1:{http}/healthz"
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(json.load(answer) == {"status": "ok"})
    except OSError:
        return False


def leader(http: int) -> str:
    """Who leads the cluster's JetStream; empty while nobody does."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/jsz", timeout=1) as answer:
        return str(json.load(answer).get("meta_cluster", {}).get("leader", ""))


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[list[str]]:
    """The client addresses of three nodes that are up and have a leader."""
    ports = free_ports(9)
    clients, https, routes = ports[:3], ports[3:6], ports[6:]
    with ExitStack() as stack:
        for i in range(3):
            store = tmp_path / f"data-{i}"
            text = configuration(clients[i], https[i], routes[i], list(routes), store)
            stack.enter_context(node(tmp_path, f"nats-{i + 1}", text))
        deadline = time.monotonic() + 30
        while not (all(map(healthy, https)) and leader(https[0])):
            assert time.monotonic() < deadline, "no healthy cluster within 30 s"
            time.sleep(0.1)
        yield [f"127.0.0.1:{port}" for port in clients]


def test_the_nodes_of_the_compose_file_run_a_protocol(cluster: list[str]) -> None:
    """The command of the service `run`, with its replicas, against all three addresses."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    service = compose["services"]["run"]
    verb, file, *options = service["command"]
    protocol = ROOT / "tests" / "data" / "guide" / Path(file).name
    url = f"nats://{','.join(cluster)}"
    replicas: str = service["environment"]["PAVANE_REPLICAS"]
    done = subprocess.run(
        [BIN / "pavane", verb, protocol, *options, "--url", url],
        env={"PATH": str(BIN), "PAVANE_REPLICAS": replicas},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 facts recorded" in done.stdout
    read = subprocess.run(
        [BIN / "pavane", "journal", "replay", "--url", f"nats://{cluster[2]}", "--json"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    facts = [e["name"] for n in read.stdout.splitlines() if (e := json.loads(n))["kind"] == "fact"]
    assert len(facts) == 4
