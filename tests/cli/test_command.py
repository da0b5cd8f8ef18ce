"""The command as a whole: version, help, wrong words, and how fast it is there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import COMMAND, Pavane, environment

VERBS = (
    "new",
    "check",
    "project",
    "draw",
    "generate",
    "refine",
    "explore",
    "run",
    "simulate",
    "journal",
    "budget",
    "server",
)


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


@pytest.mark.parametrize(
    "verb", ("check", "project", "draw", "generate", "refine", "explore", "run")
)
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


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """More is drawn than a pipe holds, and the reader goes after the first line."""
    steps = "\n".join(f"A -> B: Message{n};" for n in range(4000))
    (tmp_path / "long.choreo").write_text(f"protocol Long {{ roles: A, B; {steps} }}")
    done = subprocess.run(
        ["sh", "-c", f"{COMMAND} draw long.choreo | head -1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.stdout == "Long\n"
    assert done.stderr == ""


def test_a_pipe_that_was_never_read_is_no_error(market: Path) -> None:
    """The little that is written stays in Python's buffer until the end."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [COMMAND, "check", market],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment(),
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, closed: str) -> None:
    """Started by a daemon that has closed them: the verdict is the exit code."""
    (tmp_path / "bad.choreo").write_text("protocol P { roles: A, B; A -> C: M; }")
    done = subprocess.run(
        ["sh", "-c", f"{COMMAND} check bad.choreo - {closed}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert ("PV123" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_the_command_is_there_at_once() -> None:
    """At most 0.6 s of processor time for the verb with the most to load; the best of three."""
    seconds = list[float]()
    for _ in range(3):
        before = os.times()
        subprocess.run([COMMAND, "run", "--help"], capture_output=True, check=True)
        after = os.times()
        seconds.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    assert min(seconds) < 0.6


def test_a_package_that_is_missing_takes_away_its_verb_alone(tmp_path: Path) -> None:
    """What one verb needs is not what help, and the others, may fail for."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pavane.cli.lsp':\n"
        "            raise ModuleNotFoundError('gone', name='pygls')\n"
        "sys.meta_path.insert(0, Gone())\n"
    )
    where = environment(PYTHONPATH=str(tmp_path), COLUMNS="80")
    helped = subprocess.run(
        [COMMAND, "--help"], capture_output=True, text=True, check=True, env=where
    )
    assert "Not available: pygls is not installed." in helped.stdout
    done = subprocess.run(
        [COMMAND, "lsp", "--stdio"], capture_output=True, text=True, check=False, env=where
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: pavane lsp needs pygls, which is not installed\n"
