"""What is written for programs is JSON, whatever the roles of a session return."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pavane.cli.screen import write_json, write_json_line

VALUES = {"B": float("nan"), "W": {0: [float("inf"), 1.5], 1: (-float("inf"), "NaN")}, "N": 10**30}
READ = {"B": None, "W": {"0": [None, 1.5], "1": [None, "NaN"]}, "N": 10**30}


def refused(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.parametrize("write", [write_json, write_json_line])
def test_what_is_no_finite_number_is_null(
    write: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write({"values": VALUES})
    assert json.loads(capsys.readouterr().out, parse_constant=refused) == {"values": READ}
