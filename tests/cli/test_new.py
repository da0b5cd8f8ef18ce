"""`pavane new`: what it writes is a protocol and a program that run as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Pavane, environment


def test_what_is_new_is_accepted_laid_out_and_runs(pavane: Pavane, tmp_path: Path) -> None:
    done = pavane("new", "my_market")
    assert done.stdout.startswith("wrote my_market.choreo and my_market.py\n  pavane check ")
    assert pavane("check", "--strict", "my_market.choreo").stdout.startswith("ok ")
    assert pavane("format", "--check", "my_market.choreo").returncode == 0
    played = subprocess.run(
        [sys.executable, "my_market.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert played.stdout == "The seller's answer: Accept\n"


def test_what_is_new_passes_the_checkers(pavane: Pavane, tmp_path: Path) -> None:
    pavane("new", "market")
    for tool in (["ruff", "format", "--check"], ["ruff", "check"], ["mypy", "--strict"]):
        command = [sys.executable, "-m", *tool, "market.py"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=120, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kept", "kept.py is there already"),
        ("Market", "no name for a module"),
        ("a-b", "no name for a module"),
        ("../x", "no name for a module"),
        ("", "no name for a module"),
        ("class", "no name for a module"),
        ("märkte", "no name for a module"),
        ("json", "means something else"),
        ("buyer", "means something else"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(
    pavane: Pavane, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "kept.py").write_text("mine")
    done = pavane("new", name)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("kept.py", "mine")]
