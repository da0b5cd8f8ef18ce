"""The installed command, run as a user runs it: in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
