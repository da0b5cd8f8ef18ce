"""What the README says is run: its Python, its shell, its `make`; its table names what is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial" / "first-protocol.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every line of the README's shell blocks, without what it says about itself."""
    lines = "\n".join(blocks(README, "sh")).splitlines()
    return [command for line in lines if (command := line.split("#")[0].strip())]


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-ec", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the clone, so that nothing is written into the real one."""
    for name in ("examples", "tests", "Makefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (program,) = blocks(README, "python")
    (tmp_path / "program.py").write_text(program)
    done = run(f"{sys.executable} program.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The seller's answer: Accept\n"


def test_the_commands_of_the_readme_run(checkout: Path) -> None:
    own = [command for command in commands() if command.startswith("pavane ")]
    assert {c.split()[1] for c in own} >= {"check", "project", "draw", "run", "journal"}
    done = run("\n".join(own), checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_make_demo_runs_to_its_end(checkout: Path) -> None:
    """With this environment in the place of the one that make would create."""
    assert "make demo" in commands()
    done = run(f"make demo RUN= BIN={BIN}", checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "Worker1 -> SubCoordinator1: WorkerResult",
        "Coordinator -> Signers[*]: Request  to 5 instances",
        "User may not send UserResponse to Admin",
        "fact work_completed",
        "whole  ",
    ):
        assert words in done.stdout
    sessions = set(re.findall(r"session ([0-9a-f]+)", done.stdout))
    assert len(sessions) == 3


def test_every_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"\bmake ([a-z-]+)", README + contributing + TUTORIAL)) - {"it"}
    assert named >= {"demo", "test", "setup", "check", "bench"}
    assert named <= targets


def test_the_files_that_the_readme_names_are_there() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_.]+)?)`", README)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_tutorial_runs(tmp_path: Path) -> None:
    protocol = next(b for b in blocks(TUTORIAL, "") if b.startswith("protocol"))
    (tmp_path / "market.choreo").write_text(protocol)
    (program,) = blocks(TUTORIAL, "python")
    (tmp_path / "program.py").write_text(program)
    shell = "\n".join(blocks(TUTORIAL, "sh")).splitlines()
    own = [line.split("#")[0] for line in shell if line.startswith("pavane ")]
    done = run("\n".join([*own, f"{sys.executable} program.py"]), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Accept\n")
