"""Every example runs as a user would run it, and prints what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

PRINTED = {
    "01_two_roles": ["the host said: Come in, Ada."],
    "02_choice": ["60: too low", "80: too low", "sold for 100"],
    "03_family": [
        "longer lunch breaks: 0 for, 1 against",
        "1 followers voted",
        "longer lunch breaks: 3 for, 2 against",
        "5 followers voted",
        "longer lunch breaks: 66 for, 34 against",
        "100 followers voted",
    ],
    "04_annotated": [
        "launched; charged 400; facts: launched, lifted_off",
        "denied: ",
        "the rocket waits: no permission",
        "on hold; charged 0; facts: none",
    ],
}


def test_every_example_is_listed_here() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_and_prints(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(PRINTED[name])
    for line, wanted in zip(lines, PRINTED[name], strict=True):
        assert line.startswith(wanted)
