"""The command as a whole: version, help, wrong words, and how fast it is there."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import COMMAND, Pavane, environment

VERBS = ("check", "project", "draw", "run", "journal", "budget", "server")


def test_version(pavane: Pavane) -> None:
    done = pavane("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"pavane \d+\.\d+\.\d+\n", done.stdout)


def test_help_names_every_verb(pavane: Pavane) -> None:
    done = pavane("--help", COLUMNS="80")
    assert done.returncode == 0
    assert all(re.search(rf"\b{verb}\b", done.stdout) for verb in VERBS)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(pavane: Pavane, verb: str) -> None:
    done = pavane(verb, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert f"pavane {verb}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("verb", ("check", "project", "draw", "run"))
def test_help_shows_an_example(pavane: Pavane, verb: str) -> None:
    assert f"pavane {verb} " in pavane(verb, "--help").stdout.split("Options")[0]


def test_a_wrong_word_is_wrong_usage(pavane: Pavane) -> None:
    for words in (("chekc",), ("check", "--no-such-option", "x"), ("run",)):
        done = pavane(*words)
        assert done.returncode == 2
        assert done.stdout == ""


def test_no_words_at_all_give_help(pavane: Pavane) -> None:
    done = pavane()
    assert "Usage" in done.stdout + done.stderr


def test_python_m_pavane_is_the_same(pavane: Pavane, market: Path) -> None:
    python = COMMAND.parent / "python"
    done = subprocess.run(
        [python, "-m", "pavane", "check", market],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout == pavane("check", market).stdout


def test_a_closed_pipe_is_no_error(market: Path) -> None:
    shell = f"{COMMAND} draw {' '.join([str(market)] * 2000)} | head -1"
    done = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout
    assert done.stderr == ""


def test_the_version_is_there_at_once(pavane: Pavane) -> None:
    """Below half a second even on a shared core; the best of five."""
    seconds = list[float]()
    for _ in range(5):
        began = time.perf_counter()
        pavane("check", "--help")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.5
