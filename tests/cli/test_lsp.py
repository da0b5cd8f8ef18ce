"""`pavane lsp` as a verb; what the server does is in tests/lsp."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Pavane, environment

WITHOUT = """
import sys
sys.modules["{missing}"] = None
sys.argv = ["pavane", "lsp"]
from pavane.cli import main
main()
"""


@pytest.mark.parametrize("missing", ["pygls", "lsprotocol"])
def test_without_the_extra_it_says_what_to_install(missing: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs pygls" in done.stderr
    assert 'pip install "pavane[lsp]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_an_editor_that_never_speaks_is_no_error_but_no_shutdown_either(pavane: Pavane) -> None:
    for options in ((), ("--stdio",)):
        done = pavane("lsp", *options)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
