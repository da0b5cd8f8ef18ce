"""docker-compose.yml and the Dockerfile, as far as they can be judged without Docker.

The schema is that of the Compose specification; the check-jsonschema package carries it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
NODES = ("nats-1", "nats-2", "nats-3")


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def test_compose_fits_the_schema() -> None:
    result = validate(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_would_refuse_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:"))
    assert validate(wrong).returncode == 1


def test_three_nodes_with_health_checks_and_volumes_of_their_own() -> None:
    services = compose()["services"]
    nodes = {name: services[name] for name in NODES}
    assert len({str(node["volumes"]) for node in nodes.values()}) == 3
    for name, node in nodes.items():
        assert node["image"].startswith("nats:2.1")
        assert "/healthz" in node["healthcheck"]["test"][-1]
        assert node["volumes"] == [f"{name}:/data"]
        assert name in compose()["volumes"]
        assert node["command"][-2:] == ["--name", name]


def test_only_loopback_is_published() -> None:
    published = [p for s in compose()["services"].values() for p in s.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_run_waits_for_every_node() -> None:
    run = compose()["services"]["run"]
    assert {n: c["condition"] for n, c in run["depends_on"].items()} == dict.fromkeys(
        NODES, "service_healthy"
    )
    assert run["environment"]["PAVANE_URL"].count("nats-") == 3


def test_the_image_copies_only_what_is_let_through_and_is_there() -> None:
    """A COPY of something that .dockerignore holds back fails only in Docker, so look here."""
    allowed = {n[1:] for n in (ROOT / ".dockerignore").read_text().split() if n.startswith("!")}
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    assert [c for c in copied if c not in allowed or not (ROOT / c).exists()] == []
