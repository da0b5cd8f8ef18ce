"""The peers that durable steps are measured against, in an environment of their own.

DBOS and Restate's Python come from the Python package index, Restate's server from npm. They are put
into `.peers` beside Pavane's own, so that Pavane's own environment stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".peers"
SCRIPTS = HERE / "peer_scripts"
PYTHON = HOME / "bin" / "python"
SERVER = HOME / "node_modules" / ".bin" / "restate-server"
PACKAGES = ("dbos>=3.4,<4", "restate-sdk>=1.3,<2", "hypercorn>=0.18")
PATIENCE = 60.0


class Unavailable(Exception):
    """A peer cannot be had on this machine; the text says why."""


def dbos_rate(count: int) -> float:
    """Steps a second of one DBOS workflow."""
    _have_python()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(PYTHON), str(SCRIPTS / "dbos_steps.py"), folder, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return float(done.stdout.split()[-1])


def restate_rate(count: int) -> float:
    """Steps a second of one Restate handler."""
    _have_python()
    _have_server()
    with _restate() as (admin, ingress):
        _post(f"{ingress}/Steps/flow", count // 10)
        begun = time.perf_counter()
        assert _post(f"{ingress}/Steps/flow", count) == count
        seconds = time.perf_counter() - begun
        assert admin
    return count / seconds


@contextmanager
def _restate() -> Generator[tuple[str, str]]:
    """The server and the handler, on free ports, with the handler registered."""
    admin, ingress, node, app = _free_ports(4)
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "wb") as log:
        configuration = Path(folder) / "restate.toml"
        configuration.write_text(
            f'bind-address = "127.0.0.1:{node}"\n'
            f'advertised-address = "http://127.0.0.1:{node}/"\n'
            f'[admin]\nbind-address = "127.0.0.1:{admin}"\n'
            f'[ingress]\nbind-address = "127.0.0.1:{ingress}"\n'
        )
        hypercorn = [
            str(PYTHON),
            "-m",
            "hypercorn",
            "restate_app:app",
            "--bind",
            f"127.0.0.1:{app}",
        ]
        server = [str(SERVER), "--base-dir", folder, "--config-file", str(configuration)]
        started = [
            subprocess.Popen(
                hypercorn, cwd=SCRIPTS, stdout=log, stderr=log, start_new_session=True
            ),
            subprocess.Popen(server, cwd=folder, stdout=log, stderr=log, start_new_session=True),
        ]
        try:
            where = {"uri": f"http://127.0.0.1:{app}"}
            _patiently(f"http://127.0.0.1:{admin}/deployments", where)
            yield f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{ingress}"
        finally:
            for process in started:
                # What npm installs starts the server as a process of its own.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _patiently(url: str, body: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError):
            _post(url, body)
            return
        if time.monotonic() > deadline:
            raise Unavailable(f"Restate's server did not answer in {PATIENCE:g} s")
        time.sleep(0.2)


def _post(url: str, body: object) -> object:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _have_python() -> None:
    if not PYTHON.exists():
        _do([sys.executable, "-m", "venv", str(HOME)])
        _do([str(PYTHON), "-m", "pip", "install", "-q", *PACKAGES])


def _have_server() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("Restate's server comes from npm, which is not installed")
    if not SERVER.exists():
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(HOME)]
        _do([npm, "install", *options, "@restatedev/restate-server"])


def _do(command: list[str]) -> None:
    """Install something; raises `Unavailable` where that fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(HOME, ignore_errors=True)
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(said[-1] if said else f"{command[0]} failed")
