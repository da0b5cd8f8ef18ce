"""The installed command, run as a user runs it: in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Pavane = Callable[..., "subprocess.CompletedProcess[str]"]

GUIDE = Path(__file__).parents[1] / "data" / "guide"
COMMAND = Path(sys.executable).parent / "pavane"
LEFT_OUT = ("PAVANE_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


def environment(**extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in LEFT_OUT}
    return {**kept, "TERM": "xterm-256color", **extra}


@pytest.fixture
def pavane(tmp_path: Path) -> Pavane:
    """`pavane("check", "file")` in an empty folder; a traceback is never an answer."""

    def run(
        *arguments: str | Path, stdin: str | bytes = "", timeout: float = 60, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=data,
            capture_output=True,
            check=False,
            timeout=timeout,
            cwd=tmp_path,
            env=environment(**extra),
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture
def guide() -> Path:
    """The folder of the guide's sixteen protocols."""
    return GUIDE


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A small protocol with a choice."""
    file = tmp_path / "market.choreo"
    file.write_text(
        """protocol Market {
    roles: Buyer, Seller;
    Buyer -> Seller: Offer(price: int);
    choice Seller {
        accept { Seller -> Buyer: Accept; }
        reject { Seller -> Buyer: Reject(reason: str); }
    }
}
"""
    )
    return file


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """One protocol with two mistakes beside a good one."""
    file = tmp_path / "broken.choreo"
    file.write_text(
        """protocol Wrong {
    roles: A, B;
    A -> C: One;
    B -> B: Two;
}

protocol Right {
    roles: A, B;
    A -> B: One;
}
"""
    )
    return file


# --- a server, a module of roles and a worker ----------------------------------------------

MODULE = '''
import asyncio

import pavane

shop = pavane.load("""
#[namespace = "SPACE"]
protocol Shop {
    roles: Buyer, Seller;
    Buyer -> Seller: Order(int);
    Seller -> Buyer: Receipt(int);
}
""")


@shop.role("Buyer")
async def buyer(me):
    await me.send("Order", me.input["price"])
    return await me.receive("Receipt")


@shop.role("Seller")
async def seller(me):
    price = await me.receive("Order")
    await asyncio.sleep(me.input.get("pause", 0))
    await me.send("Receipt", price * 2)


def nobody(me): ...
'''


@pytest.fixture
def module(tmp_path: Path, unique: str) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(MODULE.replace("SPACE", unique))
    (tmp_path / "ends.py").write_text("raise SystemExit(7)")
    return file


class Operator:
    """The command with the server's address; `read` gives what `--json` wrote."""

    def __init__(self, pavane: Pavane, url: str) -> None:
        self._pavane = pavane
        self._url = url

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._pavane(*arguments, "--url", self._url)

    def read(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        return json.loads(done.stdout)


@pytest.fixture
def operator(pavane: Pavane, nats_url: str) -> Operator:
    return Operator(pavane, nats_url)


@pytest.fixture
def worker(module: Path, nats_url: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(COMMAND), "worker", "shop:shop", "--url", nats_url, "--name", "w1", "--json"]
    with subprocess.Popen(
        command, cwd=module.parent, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "serving"
        yield process
        process.kill()
